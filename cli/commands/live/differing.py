"""`trading live differences`: live minutes against a source's."""

from __future__ import annotations

import dataclasses
import json
from datetime import date
from pathlib import Path

import typer

from cli.commands.live.service import opened_database
from cli.settings import absolute, settings_in_force
from lake.folders import sources_of_bronze
from storage.directory import Directory, open_directory
from trading.errors import ParameterError

DIFFER = 3
MOST_LINES = 50


def run_differences(
    day: str,
    source: str | None,
    symbols: str | None,
    *,
    lake_dir: str | None,
    server_dir: Path,
    as_object: bool,
) -> int:
    """Print the differences of a session; returns the exit code.

    Raises:
        CommandError, TradingError, StorageError, DatabaseError: They cannot be found.
    """
    try:
        session = date.fromisoformat(day)
    except ValueError:
        raise ParameterError("date", day, "a date", "write it like 2024-01-02") from None
    settings = settings_in_force()
    lake = open_directory(absolute(lake_dir or settings.lake_dir, "lake_dir"), "lake_dir")
    chosen = source or _only_source(lake)
    names = None if symbols is None else [name.strip() for name in symbols.split(",")]
    with opened_database(settings, server_dir) as (_, database):
        from live.differences import live_differences  # noqa: PLC0415 - of an extra

        found = live_differences(database, lake, chosen, session, names)
    if as_object:
        rows = [dataclasses.asdict(one) | {"ts": one.ts.isoformat()} for one in found]
        typer.echo(json.dumps({"date": day, "source": chosen, "differences": rows}))
        return DIFFER if found else 0
    for one in found[:MOST_LINES]:
        typer.echo(
            f"{one.symbol} {one.ts:%H:%M} {one.column}: live {_shown(one.live)}, "
            f"{chosen} {_shown(one.source)}"
        )
    if len(found) > MOST_LINES:
        typer.echo(f"and {len(found) - MOST_LINES:,} more; --json prints all of them")
    typer.echo(f"{len(found):,} values of {day} differ between live bars and {chosen}.")
    return DIFFER if found else 0


def _only_source(lake: Directory) -> str:
    known = sources_of_bronze(lake)
    if len(known) != 1:
        allowed = f"one that bronze has: {', '.join(known) or 'there is none'}"
        raise ParameterError("source", None, allowed, "pass --source, or fill bronze first")
    return known[0]


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,.6g}"
