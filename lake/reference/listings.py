"""On which days a symbol was listed, as far as the reference data tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from lake.reference.tables import (
    FOLDER,
    HISTORY,
    INSTRUMENTS,
    read_history,
    read_instruments,
)
from storage.directory import Directory

Period = tuple[date | None, date | None]


@dataclass(frozen=True, slots=True)
class Listings:
    """The periods in which symbols were listed.

    Attributes:
        periods: First and last day of each, by symbol; None where unknown.
    """

    periods: Mapping[str, tuple[Period, ...]]

    def on(self, symbol: str) -> Callable[[date], bool] | None:
        """Whether the symbol was listed on a day; None when nothing is known of it."""
        periods = self.periods.get(symbol)
        if not periods:
            return None

        def listed(day: date) -> bool:
            return any((a is None or a <= day) and (b is None or day <= b) for a, b in periods)

        return listed


_known: dict[str, tuple[object, Listings]] = {}
"""By lake, the versions of its tables and what they say: each partition asks."""


def read_listings(directory: Directory) -> Listings:
    """What the lake's tables say: the history of symbols, and where it has none the instruments.

    Raises:
        ContentError: A table is damaged.
        StorageError: It cannot be read.
    """
    names = [f"{FOLDER}/{table}.parquet" for table in (INSTRUMENTS, HISTORY)]
    versions = [directory.identity(name) for name in names]
    known = _known.get(directory.url)
    if known is None or known[0] != versions:
        _known[directory.url] = known = (versions, _listings(directory))
    return known[1]


def _listings(directory: Directory) -> Listings:
    periods: dict[str, list[Period]] = {}
    for instrument in read_instruments(directory):
        period = (instrument.listed, instrument.delisted)
        periods.setdefault(instrument.symbol, []).append(period)
    history = read_history(directory)
    for symbol in {period.symbol for period in history.periods}:
        periods[symbol] = [(period.first, period.last) for period in history.of(symbol)]
    return Listings({symbol: tuple(found) for symbol, found in periods.items()})
