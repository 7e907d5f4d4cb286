"""`trading lake load`: bring the database up to date with the lake."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.commands.lake.question import (
    LakeQuestion,
    intervals,
    lake_dir,
    named_symbols,
    source_order,
)
from cli.database import database_url
from cli.display.progress import Display, EstimatedProgress, progress_display
from cli.pipeline.failures import named_server
from cli.pipeline.query import as_json
from cli.settings import installation
from lake.bronze.contents import stored_series
from servers.errors import FAILED
from storage.directory import Directory, open_directory
from storage.errors import FileError
from trading.bars.intervals import Interval
from trading.errors import ParameterError, TradingError

if TYPE_CHECKING:
    from cli.lake_database.bars import SymbolPlan
    from database.connection import Database
    from flows.boundary.settings import Settings

KEPT = (Interval.MINUTE, Interval.DAY)
"""The intervals that the database has tables for."""

SHOWN_FAILURES = 8
"""Failures that are printed for people; the JSON object has all."""

Sources = Mapping[Interval, Mapping[str, Sequence[str]]]
"""By interval and symbol the sources, the one that counts first at the front."""


@dataclass(slots=True)
class LoadTotals:
    """What a run of the command did.

    Attributes:
        up_to_date: Files that were loaded before, as they are now.
        loaded: Files that this run loaded.
        bars: Bars in these.
        inserted: Those of them that were new.
        corrected: Those that were there with other values.
        replaced: Symbols whose bars were removed first, since other files count for them now.
        reference: Rows of instruments, symbols, actions and gaps that changed.
        failures: A sentence for each symbol or table that could not be loaded.
    """

    up_to_date: int = 0
    loaded: int = 0
    bars: int = 0
    inserted: int = 0
    corrected: int = 0
    replaced: int = 0
    reference: int = 0
    failures: list[str] = field(default_factory=list)


def run_load(question: LakeQuestion, server_dir: Path, *, as_object: bool) -> int:
    """Load what the database lacks; returns the exit code.

    Args:
        question: Of which bars.
        server_dir: Where a local database keeps its data.
        as_object: Whether to print one JSON object instead of text.

    Raises:
        CommandError, TradingError, FileError: It cannot be found out what to load.
        DatabaseError: The database does not answer.
    """
    settings = installation()
    named_server(settings)  # the settings' credentials, where a block has them
    place = lake_dir(question, settings)
    chosen = _chosen(question, settings, place)
    started = time.monotonic()
    with progress_display() as display, database_url(settings, server_dir) as url:
        from database.address import place as place_of  # noqa: PLC0415 - an extra brings it
        from database.connection import open_database  # noqa: PLC0415 - as above

        with open_database(url, rebuilds=True) as database:
            lake = open_directory(place, "lake_dir")
            totals = _load(database, lake, chosen, settings.database_years, display)
        seconds = time.monotonic() - started
        where = place_of(url) if settings.database_url else str(server_dir / "postgres")
    tell = _object if as_object else _text
    typer.echo(tell(totals, place, where, seconds))
    return FAILED if totals.failures else 0


def _chosen(question: LakeQuestion, settings: Settings, place: str) -> Sources:
    """The symbols to load, with their sources.

    Raises:
        ParameterError: An interval is not kept in the database, a symbol is not in the lake, or it
            is not clear which of its sources counts.
    """
    lengths = intervals(question) or list(KEPT)
    for length in lengths:
        if length not in KEPT:
            allowed = f"an interval that the database keeps, {' or '.join(KEPT)}"
            raise ParameterError("interval", length.value, allowed, "read others from the lake")
    names = named_symbols(question, settings)
    stored = stored_series(place)
    if missing := set(names or ()) - {series.symbol for series in stored}:
        next_step = f"ingest it first, e.g. trading lake ingest --symbols {min(missing)}"
        raise ParameterError("symbols", min(missing), "a symbol of the lake", next_step)
    found: dict[Interval, dict[str, list[str]]] = {length: {} for length in lengths}
    for series in stored:
        if series.interval in found and (names is None or series.symbol in names):
            found[series.interval].setdefault(series.symbol, []).append(series.source)
    return {
        interval: {
            symbol: ordered
            for symbol, sources in of_interval.items()
            if (ordered := source_order(question, settings, symbol, sources))
        }
        for interval, of_interval in found.items()
    }


def _load(
    database: Database, lake: Directory, chosen: Sources, years: int, display: Display
) -> LoadTotals:
    from cli.lake_database.reference import copy_gaps, copy_reference  # noqa: PLC0415 - an extra
    from database.bars.retention import first_kept  # noqa: PLC0415 - as above

    totals = LoadTotals()
    display.phase("Comparing the lake with the database")
    try:
        totals.reference += copy_reference(database, lake)
    except (TradingError, FileError) as error:
        totals.failures.append(str(error))
    plans = list(_plans(database, lake, chosen, first_kept(years, _today()), totals))
    display.phase(f"Loading {sum(len(plan.due) for plan in plans):,} files")
    _load_plans(database, plans, totals, display)
    for interval, sources in chosen.items():
        try:
            totals.reference += copy_gaps(database, lake, interval, sources)
        except (TradingError, FileError) as error:
            totals.failures.append(str(error))
    return totals


def _plans(
    database: Database, lake: Directory, chosen: Sources, kept: date, totals: LoadTotals
) -> Iterator[SymbolPlan]:
    from cli.lake_database.bars import plan_symbol  # noqa: PLC0415 - an extra brings what it needs

    for interval, symbols in chosen.items():
        for symbol, sources in symbols.items():
            try:
                plan = plan_symbol(
                    lake, database, symbol, interval, sources=sources, first_kept=kept
                )
            except (TradingError, FileError) as error:
                totals.failures.append(str(error))
                continue
            totals.up_to_date += plan.up_to_date
            if plan.due or plan.replaces:
                yield plan


def _load_plans(
    database: Database, plans: Sequence[SymbolPlan], totals: LoadTotals, display: Display
) -> None:
    """Load each plan; a file that cannot be loaded keeps only the rest of its symbol waiting."""
    from cli.lake_database.bars import load_symbol  # noqa: PLC0415 - an extra brings what it needs
    from database.errors import DatabaseError, UnreachableError  # noqa: PLC0415 - as above

    due, begun = sum(len(plan.due) for plan in plans), time.monotonic()
    for plan in plans:
        totals.replaced += plan.replaces
        try:
            for result in load_symbol(database, plan):
                totals.loaded += 1
                totals.bars += result.rows
                totals.inserted += result.inserted
                totals.corrected += result.updated
                rate = totals.loaded / (time.monotonic() - begun)
                failed = len(totals.failures)
                display.partitions(EstimatedProgress(due, totals.loaded, failed, rate))
        except UnreachableError:
            raise
        except (TradingError, FileError, DatabaseError) as error:
            totals.failures.append(str(error))


def _today() -> date:
    return datetime.now(UTC).date()


def _object(totals: LoadTotals, place: str, where: str, seconds: float) -> str:
    return as_json(
        {
            "status": "failed" if totals.failures else "completed",
            "lake_dir": place,
            "database": where,
            "files": {"loaded": totals.loaded, "up_to_date": totals.up_to_date},
            "bars": {
                "loaded": totals.bars,
                "inserted": totals.inserted,
                "corrected": totals.corrected,
            },
            "symbols_replaced": totals.replaced,
            "reference_rows_changed": totals.reference,
            "failures": totals.failures,
            "wall_seconds": round(seconds, 3),
            "bars_per_second": round(totals.bars / seconds),
        }
    )


def _text(totals: LoadTotals, place: str, where: str, seconds: float) -> str:
    rows = [
        ("Lake", place),
        ("Database", where),
        ("Files", f"{totals.loaded:,} loaded, {totals.up_to_date:,} up to date"),
        ("Bars", f"{totals.bars:,}, {totals.bars / seconds:,.0f}/s"),
        ("  new", f"{totals.inserted:,}"),
        ("  corrected", f"{totals.corrected:,}"),
        ("Reference", f"{totals.reference:,} rows changed"),
        ("Time", f"{seconds:.1f} s"),
    ]
    lines = [f"{name:<11}{value}" for name, value in rows]
    if totals.replaced:
        lines.append(f"{totals.replaced:,} symbols were replaced: other files count for them now.")
    lines += totals.failures[:SHOWN_FAILURES]
    if more := len(totals.failures) - SHOWN_FAILURES:
        lines += [f"... and {more} more failures; --json lists all"] if more > 0 else []
    return "\n".join(lines)
