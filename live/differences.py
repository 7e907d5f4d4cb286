"""What a source says of a day differently than live bars did."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from database.connection import Database
from database.live.bars import live_bars, live_symbols
from lake.bronze.contents import Series, read_range
from lake.bronze.keys import Stretch
from lake.grain import Grain
from live.histories.bars import bars_of
from storage.directory import Directory
from trading.bars.intervals import Interval
from trading.bars.merging import NEW_BAR, corrections, merged
from trading.bars.model import Bars
from trading.instruments.calendar import sessions
from trading.instruments.clock import to_datetime

NOT_IN_SOURCE = "not in source"
"""The column of a difference that is a bar which live alone has; its `live` is the close."""

NOT_LIVE = "not live"
"""The column of one that is a bar which the source alone has; its `source` is the close."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value.

    Attributes:
        symbol: The symbol.
        ts: The minute's start, in New York.
        column: The field of a bar, or `NOT_LIVE` or `NOT_IN_SOURCE`.
        live: What live said; None when it said nothing.
        source: What the source says; None when it says nothing.
    """

    symbol: str
    ts: datetime
    column: str
    live: float | None
    source: float | None


def live_differences(
    database: Database,
    lake: Directory,
    source: str,
    day: date,
    symbols: Sequence[str] | None = None,
) -> list[Difference]:
    """What a source's minutes of a session say differently than live ones did.

    Args:
        database: Where live bars are.
        lake: Where the source's are.
        source: The source in bronze.
        day: The session's New York date.
        symbols: Of these alone; of all that have live bars by default.

    Raises:
        ContentError, StorageError: The lake cannot be read.
        DatabaseError: The database does not answer.
    """
    stretch = Stretch(day, Grain.SESSION)
    start, end = stretch.start, stretch.end
    wanted = symbols or live_symbols(database, Interval.MINUTE.value, start, end)
    found: list[Difference] = []
    for symbol in wanted:
        said = live_bars(database, Interval.MINUTE.value, start, end, [symbol])
        live = bars_of(said) if said else Bars.empty(symbol)
        series = Series(source, Interval.MINUTE, symbol)
        found += _of_symbol(live, _inside(read_range(lake, series, day, day), day))
    return found


def _inside(bars: Bars, day: date) -> Bars:
    """The bars of the session's hours: live ones have no others."""
    within = sessions(day, day)
    if not len(within):
        return bars[:0]
    stamps = bars.timestamps
    return bars[(stamps >= within.opens[0]) & (stamps < within.closes[0])]


def _of_symbol(live: Bars, source: Bars) -> list[Difference]:
    found = [
        Difference(
            live.symbol,
            to_datetime(change.timestamp),
            NOT_LIVE if change.column == NEW_BAR else change.column,
            None if change.column == NEW_BAR else _number(change.old),
            _number(change.new),
        )
        for change in corrections(live, merged(live, source))
    ]
    alone = ~np.isin(live.timestamps, source.timestamps, assume_unique=True)
    found += [
        Difference(live.symbol, to_datetime(stamp), NOT_IN_SOURCE, float(close), None)
        for stamp, close in zip(live.timestamps[alone], live.close[alone], strict=True)
    ]
    return sorted(found, key=lambda one: (one.ts, one.column))


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value
