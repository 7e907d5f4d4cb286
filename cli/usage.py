"""What a command line that cannot be understood is answered with: one sentence."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import typer

from servers.errors import FAILED, USAGE
from trading.errors import shown

# Typer names the class of all such errors only by way of what it raises.
UsageError: Any = typer.BadParameter.__base__


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """End the process with one sentence when the command line cannot be understood.

    Of a command called without anything, the help is printed, as is usual.
    """
    try:
        yield
    except UsageError as error:
        if error.ctx is not None and error.message == error.ctx.get_help():
            error.show()
        else:
            typer.echo(_sentence(error), err=True)
        raise SystemExit(USAGE) from None
    except typer.Abort:
        typer.echo("Aborted!", err=True)
        raise SystemExit(FAILED) from None


def _sentence(error: Any) -> str:  # noqa: ANN401 - Typer's class has no public name
    """The parameter, its value, what is wrong with it, and where to read what is allowed."""
    words = error.format_message()
    cause = getattr(error.__cause__, "errors", None)
    if cause is not None and isinstance(error, typer.BadParameter) and error.param is not None:
        first = cause()[0]
        reason = str(first["msg"]).removeprefix("Value error, ").removesuffix(".")
        value = shown(first["input"])
        reason = reason.removeprefix(f"{value} is ")
        words = f"{_name(error.param)}={value} cannot be used ({reason[:1].lower()}{reason[1:]})"
    command = error.ctx.command_path if error.ctx is not None else sys.argv[0].split("/")[-1]
    return f"{words.removesuffix('.')}; see {command} --help."


def _name(parameter: Any) -> str:  # noqa: ANN401 - as above
    """An option as it is typed, an argument by its name."""
    options = [text for text in parameter.opts if text.startswith("--")]
    return options[0] if options else str(parameter.name)
