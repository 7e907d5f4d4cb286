"""`trading lake status bronze`: the grid of symbols by session, and what completes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import typer

from adapters.market_data.sources import SourceName
from cli.commands.lake.question import LakeQuestion, lake_dir, stored_requests
from cli.display.status_grid import COMPLETE, CellStatus, GridRow, grid_lines, legend
from cli.pipeline.query import as_json
from cli.settings import installation
from flows.runs.commands import shell_command
from lake.bronze.contents import Series, gap_records
from lake.bronze.dataset import BronzeDataset
from lake.bronze.request import BronzeRequest
from lake.dataset import PartitionStatus, SymbolStatus, symbol_status
from storage.directory import open_directory
from trading.instruments.calendar import sessions

INCOMPLETE = 3
"""Exit code when a session is not there, or not whole."""


@dataclass(frozen=True, slots=True)
class SymbolSessions(GridRow):
    """What is there of one symbol's sessions, by ISO date.

    Attributes:
        request: What was looked at, of one symbol.
    """

    request: BronzeRequest


def run_status(question: LakeQuestion, *, as_object: bool) -> int:
    """Print what the lake has of each session; returns the exit code.

    Raises:
        CommandError, TradingError: It cannot be found out.
    """
    settings = installation()
    rows = [sessions_of(request) for request in stored_requests(question, settings)]
    place = lake_dir(question, settings)
    typer.echo(_object(place, rows) if as_object else _text(place, rows))
    return 0 if rows and all(row.is_complete for row in rows) else INCOMPLETE


def sessions_of(request: BronzeRequest) -> SymbolSessions:
    """What is there of each session of a request for one symbol.

    Raises:
        StorageError: The lake cannot be read.
    """
    (symbol,) = request.symbols
    status = symbol_status(BronzeDataset(None), request, symbol)
    lake = open_directory(request.lake_dir, "lake_dir")
    series = Series(request.source, request.interval, symbol)
    records = gap_records(lake, [series], request.first, request.last)
    gaps = {gap.session.isoformat() for record in records for gap in record.gaps}
    within = sessions(request.first, request.last).dates
    states: dict[str, CellStatus] = {}
    for key, state in zip(status.keys, status.states, strict=True):
        first, last = np.datetime64(key.stretch.first), np.datetime64(key.stretch.last)
        for day in within[(within >= first) & (within <= last)]:
            states[str(day)] = _session(state, str(day) in gaps)
    expected = _expected(status, request)
    known = {day: state for day, state in states.items() if day in expected}
    return SymbolSessions(symbol, known, request)


def _session(state: PartitionStatus, gap: bool) -> CellStatus:  # noqa: FBT001 - one call
    if state is PartitionStatus.MISSING:
        return CellStatus.MISSING
    if gap:
        return CellStatus.GAP
    return CellStatus(state.value)


def _expected(status: SymbolStatus, request: BronzeRequest) -> set[str]:  # type: ignore[type-arg]
    """The sessions that have begun, while the instrument was listed."""
    return {str(day) for day in BronzeDataset(None).sessions(request, status.symbol).dates}


def _object(place: str, rows: Sequence[SymbolSessions]) -> str:
    return as_json(
        {
            "lake_dir": place,
            "sessions": {s.value: sum(row.count(s) for row in rows) for s in CellStatus},
            "series": [
                {
                    "source": row.request.source,
                    "interval": row.request.interval.value,
                    "symbol": row.symbol,
                    "done": row.count(CellStatus.DONE),
                }
                | {
                    state.value: row.having(state)
                    for state in CellStatus
                    if state is not CellStatus.DONE
                }
                for row in rows
            ],
            "commands": commands(place, rows),
        }
    )


def _text(place: str, rows: Sequence[SymbolSessions]) -> str:
    lines = [f"Lake  {place}"]
    if not rows:
        return "\n".join([*lines, "There are no bars of the kind in it; trading lake ingest them."])
    kinds = sorted({(r.request.source, r.request.interval) for r in rows})
    for source, interval in kinds:
        alike = [r for r in rows if (r.request.source, r.request.interval) == (source, interval)]
        lines += ["", *grid_lines(f"{source} {interval.value}", alike)]
    lines += ["", legend(rows, list(reversed(CellStatus)))]
    if todo := commands(place, rows):
        lines += ["", "To complete it:", *(f"  {command}" for command in todo)]
    if any(not row.is_complete for row in rows if row.request.source == SourceName.FILES):
        said = "trading lake ingest with --from and the folder of the delivery"
        lines += ["", f"To complete what is from files: {said}."]
    return "\n".join(lines)


def commands(place: str, rows: Sequence[SymbolSessions]) -> list[str]:
    """The commands that fetch what is missing, one for each source and interval.

    None for the source `files`: where a delivery lies is not known.
    """
    found: list[str] = []
    wanting = [r for r in rows if not r.is_complete and r.request.source != SourceName.FILES]
    for source, interval in sorted({(r.request.source, r.request.interval) for r in wanting}):
        these = [r for r in wanting if (r.request.source, r.request.interval) == (source, interval)]
        days = [d for r in these for d, state in r.columns.items() if state not in COMPLETE]
        words = ["--symbols", ",".join(r.symbol for r in these), "--interval", interval.value]
        words += ["--start", min(days), "--end", max(days), "--source", source]
        words += ["--lake-dir", place]
        found.append(shell_command("trading", "lake", "ingest", *words))
    return found
