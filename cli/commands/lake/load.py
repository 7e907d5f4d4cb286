"""`trading lake load`: bring the database up to date with the lake."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.commands.lake.question import (
    LakeQuestion,
    check_known,
    intervals,
    named_symbols,
    source_order,
)
from cli.database import database_url
from cli.display.progress import Display, EstimatedProgress, progress_display
from cli.pipeline.failures import named_server
from cli.pipeline.query import as_json
from cli.settings import existing_lake, installation
from lake.bronze.contents import stored_series
from servers.errors import FAILED
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.errors import ParameterError

if TYPE_CHECKING:
    from flows.boundary.settings import Settings
    from flows.loading.loading import LoadTotals, Sources

SHOWN_FAILURES = 8
"""Failures that are printed for people; the JSON object has all."""


@dataclass(frozen=True, slots=True)
class _Shown:
    """Shows a terminal how a load goes."""

    display: Display

    def phase(self, text: str) -> None:
        """Say what happens now."""
        self.display.phase(text)

    def files(self, due: int, loaded: int, failed: int, rate: float) -> None:
        """Say how many files of how many are loaded, and how many in a second."""
        self.display.partitions(EstimatedProgress(due, loaded, failed, rate))


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
    place = existing_lake(question.lake_dir, settings.lake_dir)
    chosen = _chosen(question, settings, place)
    started = time.monotonic()
    with progress_display() as display, database_url(settings, server_dir) as url:
        from database.address import place as place_of  # noqa: PLC0415 - an extra brings it
        from database.connection import open_database  # noqa: PLC0415 - as above
        from flows.loading.loading import load_lake  # noqa: PLC0415 - as above

        with open_database(url, rebuilds=True) as database:
            lake = open_directory(place, "lake_dir")
            totals = load_lake(database, lake, chosen, settings.database_years, _Shown(display))
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
    from flows.loading.loading import KEPT  # noqa: PLC0415 - an extra brings what it needs

    lengths = intervals(question) or list(KEPT)
    for length in lengths:
        if length not in KEPT:
            allowed = f"an interval that the database keeps, {' or '.join(KEPT)}"
            raise ParameterError("interval", length.value, allowed, "read others from the lake")
    names = named_symbols(question, settings)
    check_known(question, settings)
    stored = stored_series(place)
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
