"""The command `trading live check`."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.exit_codes import exit_codes
from cli.extras import needs_extra
from cli.options import DEFAULT_FOLDER, ServerDir


def check_live(
    *,
    order: Annotated[
        bool,
        typer.Option(
            "--order",
            help="Also wait for an order from a signal on a live bar since the executor started.",
        ),
    ] = False,
    account: Annotated[
        str | None, typer.Option(help="Whose order. Default: any.", metavar="NAME")
    ] = None,
    api: Annotated[
        str | None, typer.Option(help="Ask the API at this address, too.", metavar="URL")
    ] = None,
    wait: Annotated[
        float, typer.Option(help="Longest time for all of it.", min=0, metavar="SECONDS")
    ] = 60.0,
    server_dir: ServerDir = DEFAULT_FOLDER,
) -> None:
    """Check that the live processes run, and that bars become signals and signals orders.

    \b
    Examples:
      trading live check
      trading live check --order --api http://127.0.0.1:8300 --wait 300

    \b
    Exit codes: 0 all is well, 1 something is missing, 2 wrong usage.
    """  # noqa: D301 - \b is how Click keeps lines as they are
    with exit_codes():
        with needs_extra("live"):
            from cli.commands.live.check import CheckOptions, run_check  # noqa: PLC0415

        run_check(
            CheckOptions(order=order, account=account, api=api, wait=wait, server_dir=server_dir)
        )
