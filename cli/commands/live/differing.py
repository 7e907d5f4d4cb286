"""`trading live differences`: live minutes against a source's."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import typer

from cli.commands.lake.selection import symbol_names
from cli.commands.live.services.service import opened_database
from cli.settings import absolute, settings_in_force
from database.connection import Database
from lake.bronze.keys import Stretch
from lake.folders import folders_in, sources_of_bronze
from lake.grain import Grain
from lake.silver.bronze_rows import BRONZE
from storage.directory import Directory, open_directory
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.calendar import sessions

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
    chosen = _source(lake, source)
    names = symbol_names(symbols)
    _check_session(day, session)
    with opened_database(settings, server_dir) as (_, database):
        _check_known(database, lake, chosen, session, names)
        from live.differences import live_differences  # noqa: PLC0415 - of an extra

        found = live_differences(database, lake, chosen, session, names or None)
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


def _source(lake: Directory, named: str | None) -> str:
    """The source that is named, else the only one."""
    known = sources_of_bronze(lake)
    if named in known:
        return named
    if named is not None or len(known) != 1:
        allowed = f"one that bronze has: {', '.join(known) or 'there is none'}"
        raise ParameterError("source", named, allowed, "pass --source, or fill bronze first")
    return known[0]


def _check_session(text: str, session: date) -> None:
    if not len(sessions(session, session)):
        raise ParameterError("date", text, "a session of the exchange", "name a day it was open on")


def _check_known(
    database: Database, lake: Directory, source: str, session: date, names: Sequence[str]
) -> None:
    """Refuse to compare nothing with nothing, which would not differ.

    Raises:
        ParameterError: Neither live bars nor the source's know a symbol, or there are none.
    """
    from database.live.bars import live_symbols  # noqa: PLC0415 - of an extra

    day = Stretch(session, Grain.SESSION)
    live = live_symbols(database, Interval.MINUTE.value, day.start, day.end)
    if not live and not names:
        raise ParameterError(
            "date", session.isoformat(), "a session with live bars", "name one of which there are"
        )
    known = {*live, *folders_in(lake, f"{BRONZE}/{source}/{Interval.MINUTE.value}")}
    for name in names:
        if name not in known:
            allowed = f"a symbol of which live or {source} has minutes"
            raise ParameterError("symbols", name, allowed, "name others, or leave it out for all")


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:,.6g}"
