"""`trading live subscribe` and `unsubscribe`."""

from __future__ import annotations

from pathlib import Path

import typer

from cli.commands.lake.selection import symbol_names
from cli.commands.live.services.service import opened_database
from cli.settings import settings_in_force


def run_subscribe(names: str, server_dir: Path, *, wanted: bool) -> None:
    """Ask for symbols, or no longer, and say which are asked for now.

    Raises:
        CommandError, ParameterError, DatabaseError: It cannot be done.
    """
    symbols = symbol_names(names)
    with opened_database(settings_in_force(), server_dir) as (_, database):
        from database.live import subscriptions as table  # noqa: PLC0415 - of an extra

        (table.subscribe if wanted else table.unsubscribe)(database, symbols)
        asked = sorted(table.subscriptions(database))
    typer.echo(f"Asked for now: {', '.join(asked) or 'nothing'}")
