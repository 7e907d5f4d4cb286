"""The commands that tell of strategies: `strategy list` and `strategy show`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.options import Json


def list_strategies(*, json_output: Json = False) -> None:
    """List the strategies there are.

    \b
    Examples:
      trading strategy list
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.strategy import run_list  # noqa: PLC0415 - --help stays quick

        run_list(as_object=json_output)


def show(
    name: Annotated[
        str, typer.Argument(help="A strategy's name, or a class as package.module:Class.")
    ],
    *,
    json_output: Json = False,
) -> None:
    """Show one strategy: what it does, what it needs, and its parameters.

    \b
    Examples:
      trading strategy show vegas_channel
      trading strategy show vegas_channel --json
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes(as_json=json_output):
        from cli.commands.strategy import run_show  # noqa: PLC0415 - --help stays quick

        run_show(name, as_object=json_output)
