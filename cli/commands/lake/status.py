"""`trading lake status`: the grid of symbols by session, and the commands that complete it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
import typer

from adapters.market_data.sources import SourceName
from cli.commands.lake.question import LakeQuestion, lake_dir, stored_requests
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

NARROWEST, WIDEST = 10, 120


class SessionStatus(StrEnum):
    """What is there of one symbol's session, from the worst to the best."""

    MISSING = "missing"
    """Its partition has no file."""
    GAP = "gap"
    """Bars of it are missing and still wanted."""
    STALE = "stale"
    """Its file is of another version of the format."""
    UNSETTLED = "unsettled"
    """It is there, and the source may still correct it."""
    DONE = "done"
    """It is there."""


COMPLETE = frozenset({SessionStatus.UNSETTLED, SessionStatus.DONE})

SIGNS = {
    SessionStatus.MISSING: ("·", ".", typer.colors.BRIGHT_BLACK),
    SessionStatus.GAP: ("!", "!", typer.colors.RED),
    SessionStatus.STALE: ("~", "~", typer.colors.YELLOW),
    SessionStatus.UNSETTLED: ("○", "o", typer.colors.CYAN),
    SessionStatus.DONE: ("✓", "#", typer.colors.GREEN),
}
"""How each shows, where the terminal knows the sign and where it does not, and its colour; of
several sessions in one column the first of these shows."""


@dataclass(frozen=True, slots=True)
class SymbolSessions:
    """One row of the grid.

    Attributes:
        request: What was looked at, of one symbol.
        days: Its sessions in order, ISO dates.
        states: What is there of each.
    """

    request: BronzeRequest
    days: tuple[str, ...]
    states: tuple[SessionStatus, ...]

    @property
    def symbol(self) -> str:
        """The symbol."""
        return self.request.symbols[0]

    def count(self, state: SessionStatus) -> int:
        """How many sessions have this status."""
        return self.states.count(state)


def run_status(question: LakeQuestion, *, as_object: bool) -> int:
    """Print what the lake has of each session; returns the exit code.

    Raises:
        CommandError, TradingError: It cannot be found out.
    """
    settings = installation()
    rows = [sessions_of(request) for request in stored_requests(question, settings)]
    place = lake_dir(question, settings)
    typer.echo(_object(place, rows) if as_object else _text(place, rows))
    done = rows and all(state in COMPLETE for row in rows for state in row.states)
    return 0 if done else INCOMPLETE


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
    states: dict[str, SessionStatus] = {}
    for key, state in zip(status.keys, status.states, strict=True):
        first, last = np.datetime64(key.stretch.first), np.datetime64(key.stretch.last)
        for day in within[(within >= first) & (within <= last)]:
            states[str(day)] = _session(state, str(day) in gaps)
    expected = _expected(status, request)
    known = {day: state for day, state in states.items() if day in expected}
    return SymbolSessions(request, tuple(known), tuple(known.values()))


def _session(state: PartitionStatus, gap: bool) -> SessionStatus:  # noqa: FBT001 - one call
    if state is PartitionStatus.MISSING:
        return SessionStatus.MISSING
    if gap:
        return SessionStatus.GAP
    return SessionStatus(state.value)


def _expected(status: SymbolStatus, request: BronzeRequest) -> set[str]:  # type: ignore[type-arg]
    """The sessions that have begun, while the instrument was listed."""
    return {str(day) for day in BronzeDataset(None).sessions(request, status.symbol).dates}


def _object(place: str, rows: Sequence[SymbolSessions]) -> str:
    return as_json(
        {
            "lake_dir": place,
            "sessions": {s.value: sum(row.count(s) for row in rows) for s in SessionStatus},
            "series": [
                {
                    "source": row.request.source,
                    "interval": row.request.interval.value,
                    "symbol": row.symbol,
                    "done": row.count(SessionStatus.DONE),
                }
                | {
                    state.value: [
                        d for d, s in zip(row.days, row.states, strict=True) if s is state
                    ]
                    for state in SessionStatus
                    if state is not SessionStatus.DONE
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
        lines += [
            "",
            *_grid(
                [r for r in rows if (r.request.source, r.request.interval) == (source, interval)]
            ),
        ]
    totals = {state: sum(row.count(state) for row in rows) for state in SessionStatus}
    signs = reversed(list(SIGNS))
    lines += ["", "   ".join(f"{_sign(s)} {s.value} {totals[s]:,}" for s in signs)]
    if todo := commands(place, rows):
        lines += ["", "To complete it:", *(f"  {command}" for command in todo)]
    if any(_is_wanting(row) for row in rows if row.request.source == SourceName.FILES):
        said = "trading lake ingest with --from and the folder of the delivery"
        lines += ["", f"To complete what is from files: {said}."]
    return "\n".join(lines)


def _grid(rows: Sequence[SymbolSessions]) -> list[str]:
    days = sorted({day for row in rows for day in row.days})
    source, interval = rows[0].request.source, rows[0].request.interval.value
    if not days:
        return [f"{source} {interval}: no session yet"]
    width = min(len(days), WIDEST, max(NARROWEST, shutil.get_terminal_size((80, 24)).columns - 34))
    per = "one" if width == len(days) else f"about {len(days) / width:.0f}"
    names = max(len(row.symbol) for row in rows)
    head = f"{source} {interval}: {days[0]} to {days[-1]}, {per} to a column"
    return [
        head,
        *(f"{row.symbol:<{names}}  {_row(row, days, width)}  {_told(row)}" for row in rows),
    ]


def _row(row: SymbolSessions, days: Sequence[str], width: int) -> str:
    known = dict(zip(row.days, row.states, strict=True))
    bounds = [len(days) * i // width for i in range(width + 1)]
    cells = ([known[d] for d in days[a:b] if d in known] for a, b in pairwise(bounds))
    return "".join(_sign(next(s for s in SIGNS if s in cell)) if cell else " " for cell in cells)


def _sign(state: SessionStatus) -> str:
    sign, plain, colour = SIGNS[state]
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        sign = plain
    return typer.style(sign, fg=colour)


def _told(row: SymbolSessions) -> str:
    order = (s for s in reversed(list(SIGNS)) if row.count(s))
    return ", ".join(f"{row.count(s)} {s.value}" for s in order)


def commands(place: str, rows: Sequence[SymbolSessions]) -> list[str]:
    """The commands that fetch what is missing, one for each source and interval.

    None for the source `files`: where a delivery lies is not known.
    """
    found: list[str] = []
    wanting = [r for r in rows if _is_wanting(r) and r.request.source != SourceName.FILES]
    for source, interval in sorted({(r.request.source, r.request.interval) for r in wanting}):
        these = [r for r in wanting if (r.request.source, r.request.interval) == (source, interval)]
        days = [
            d for r in these for d, s in zip(r.days, r.states, strict=True) if s not in COMPLETE
        ]
        words = ["--symbols", ",".join(r.symbol for r in these), "--interval", interval.value]
        words += ["--start", min(days), "--end", max(days), "--source", source]
        words += ["--lake-dir", place]
        found.append(shell_command("trading", "lake", "ingest", *words))
    return found


def _is_wanting(row: SymbolSessions) -> bool:
    return any(state not in COMPLETE for state in row.states)
