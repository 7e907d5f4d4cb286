"""How a command ends: one sentence and an exit code, whatever happens inside."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import typer

from cli.stop_signals import StopSignals
from database.errors import DatabaseError
from lake.errors import EXPECTED, USER_MISTAKES
from live.errors import LiveError
from servers.errors import FAILED, USAGE, CommandError


@contextlib.contextmanager
def exit_codes(*, as_json: bool = False) -> Iterator[StopSignals]:
    """End the process with one sentence and the right exit code, whatever happens inside.

    Args:
        as_json: Whether standard output must hold one JSON object even then.

    Yields:
        What tells which exit code a command has that ends in order when it is stopped.
    """
    signals = StopSignals()
    signals.install()
    try:
        yield signals
    except (CommandError, DatabaseError, LiveError, *EXPECTED) as error:
        typer.echo(str(error), err=True)
        _echo_status("error", str(error), as_json=as_json)
        raise typer.Exit(_exit_code(error)) from None
    except KeyboardInterrupt:
        message = "Stopped; the same command goes on with what is missing."
        typer.echo(message, err=True)
        _echo_status("interrupted", message, as_json=as_json)
        raise typer.Exit(signals.exit_code) from None


def confirm(question: str) -> None:
    """Ask a person before something that cannot be undone.

    Raises:
        CommandError: The answer is no, or nobody can be asked.
    """
    try:
        agreed = typer.confirm(question, err=True)
    except typer.Abort:
        typer.echo(err=True)
        agreed = False
    if not agreed:
        raise CommandError(
            "Not confirmed, so nothing was changed; pass --yes where nobody can answer.", FAILED
        )


def _exit_code(error: Exception) -> int:
    if isinstance(error, CommandError):
        return error.exit_code
    return USAGE if isinstance(error, USER_MISTAKES) else FAILED


def _echo_status(status: str, message: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"status": status, "message": message}))
