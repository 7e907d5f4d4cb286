"""The grid of symbols by time that `trading lake status` prints."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import typer

NARROWEST, WIDEST = 10, 120


class CellStatus(StrEnum):
    """What is there of one symbol's session, month or year, from the worst to the best."""

    MISSING = "missing"
    """There is no file."""
    GAP = "gap"
    """Bars of it are missing and still wanted."""
    STALE = "stale"
    """Its file is of other inputs, parameters or another version."""
    UNSETTLED = "unsettled"
    """It is there, and the source may still correct it."""
    DONE = "done"
    """It is there."""


COMPLETE = frozenset({CellStatus.UNSETTLED, CellStatus.DONE})

SIGNS = {
    CellStatus.MISSING: ("·", ".", typer.colors.BRIGHT_BLACK),
    CellStatus.GAP: ("!", "!", typer.colors.RED),
    CellStatus.STALE: ("~", "~", typer.colors.YELLOW),
    CellStatus.UNSETTLED: ("○", "o", typer.colors.CYAN),
    CellStatus.DONE: ("✓", "#", typer.colors.GREEN),
}
"""How each shows, where the terminal knows the sign and where it does not, and its colour; of
several in one column the first of these shows."""


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row of a grid.

    Attributes:
        symbol: The symbol.
        columns: What is there of each session, month or year, by its name.
    """

    symbol: str
    columns: Mapping[str, CellStatus]

    @property
    def is_complete(self) -> bool:
        """Whether nobody has to worry about any of it."""
        return COMPLETE.issuperset(self.columns.values())

    def count(self, status: CellStatus) -> int:
        """How many have this status."""
        return sum(one is status for one in self.columns.values())

    def having(self, status: CellStatus) -> list[str]:
        """The names of those that have this status."""
        return [name for name, one in self.columns.items() if one is status]


def grid_lines(title: str, rows: Sequence[GridRow]) -> Iterator[str]:
    """A grid under its title; neighbouring columns share one when there are many."""
    names = sorted({name for row in rows for name in row.columns})
    if not names:
        yield f"{title}: nothing yet"
        return
    columns = shutil.get_terminal_size((80, 24)).columns - 34
    width = min(len(names), WIDEST, max(NARROWEST, columns))
    per = "one" if width == len(names) else f"about {len(names) / width:.0f}"
    stretch = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}, {per} to a column"
    yield f"{title}: {stretch}"
    longest = max(len(row.symbol) for row in rows)
    for row in rows:
        yield f"{row.symbol:<{longest}}  {_cells(row, names, width)}  {_told(row)}"


def legend(rows: Sequence[GridRow], statuses: Sequence[CellStatus]) -> str:
    """What the signs mean, and how many there are of each."""
    totals = {status: sum(row.count(status) for row in rows) for status in statuses}
    return "   ".join(f"{_sign(status)} {status.value} {totals[status]:,}" for status in statuses)


def _cells(row: GridRow, names: Sequence[str], width: int) -> str:
    bounds = [len(names) * i // width for i in range(width + 1)]
    shared = (
        [row.columns[name] for name in names[a:b] if name in row.columns]
        for a, b in pairwise(bounds)
    )
    return "".join(_sign(next(s for s in SIGNS if s in cell)) if cell else " " for cell in shared)


def _sign(status: CellStatus) -> str:
    sign, plain, colour = SIGNS[status]
    try:
        sign.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        sign = plain
    return typer.style(sign, fg=colour)


def _told(row: GridRow) -> str:
    order = (status for status in reversed(list(SIGNS)) if row.count(status))
    return ", ".join(f"{row.count(status)} {status.value}" for status in order)
