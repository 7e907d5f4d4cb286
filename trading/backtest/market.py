"""The bars of all symbols on one clock, as the engine walks through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import PRICES, Bars
from trading.errors import DataError
from trading.instruments.calendar import Sessions
from trading.instruments.clock import local_times
from trading.orders.book import Bar
from trading.units import UNIT, Units, price_units, to_units

FOREVER = np.iinfo(np.int64).max
"""When an order expires whose session the calendar no longer has."""


@dataclass(frozen=True, slots=True, eq=False)
class Clock:
    """The rows that all symbols share, arrays of shape (n,), nanoseconds since 1970 in UTC.

    Attributes:
        starts: When each bar starts, increasing.
        ends: When it ends; from then on it is known.
        sessions: The number of the session in which it ends; a bar of several is of its last.
        good_until: The first close after its end: when a DAY order made of it expires.
    """

    starts: Units
    ends: Units
    sessions: Units
    good_until: Units

    @classmethod
    def of(cls, stamps: Timestamps, interval: Interval, sessions: Sessions) -> Clock:
        """The clock of bars of an interval that start at `stamps`.

        Args:
            stamps: Bar starts, increasing.
            interval: The bars' length; a bar within a session ends at its close at the latest.
            sessions: Sessions that hold all stamps, and at best one more.

        Raises:
            DataError: A bar lies outside the sessions.
        """
        starts = stamps.astype("datetime64[ns]").view(np.int64)
        closes = sessions.closes.astype("datetime64[ns]").view(np.int64)
        first = np.searchsorted(closes, starts)
        last = first if interval.is_intraday else first + interval.sessions - 1
        if len(starts) and last[-1] >= len(closes):
            raise DataError(
                "bars", f"the one at {stamps[-1]} ends after the last session",
                "pass sessions that reach beyond the bars",
            )  # fmt: skip
        ends = closes[last]
        if interval.is_intraday:
            ends = np.minimum(ends, starts + interval.minutes * 60 * UNIT)
        until = np.append(closes, FOREVER)[np.searchsorted(closes, ends, side="right")]
        return cls(starts, ends, last, until)

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.starts)

    @property
    def dates(self) -> npt.NDArray[np.datetime64]:
        """The New York date on which each bar ends, `datetime64[D]`."""
        return local_times(self.ends.view("datetime64[ns]")).astype("datetime64[D]")


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """Bars of s symbols on a clock of n rows. A bar without all four prices is none at all.

    Attributes:
        symbols: The symbols.
        increments: Smallest step of each symbol's quantities, in units.
        clock: The rows.
        prices: Open, high, low and close in units, int64 of shape (4, n, s); 0 where there is no
            bar.
        volume: Shares traded, shape (n, s), NaN where unknown.
        rows: Of each symbol, the row of each of its bars.
    """

    symbols: tuple[str, ...]
    increments: tuple[int, ...]
    clock: Clock
    prices: Units
    volume: Floats
    rows: tuple[npt.NDArray[np.int64], ...]

    @classmethod
    def of(
        cls, bars: Sequence[Bars], clock: Clock, increments: Mapping[str, Decimal] | None = None
    ) -> Market:
        """Put the bars of some symbols on a clock.

        Args:
            bars: Bars of different symbols.
            clock: Rows that hold all their timestamps.
            increments: Smallest step of a quantity by symbol; 1 where none is named.

        Raises:
            DataError: A bar is not on the clock, a symbol occurs twice or a price is none.
        """
        symbols = tuple(own.symbol for own in bars)
        if len(set(symbols)) != len(symbols):
            raise DataError("bars", f"a symbol occurs twice in {symbols}", "pass each once")
        shape = (len(clock), len(bars))
        prices = np.zeros((len(PRICES), *shape), np.int64)
        volume = np.full(shape, np.nan)
        rows = tuple(_rows(own, clock) for own in bars)
        for column, own in enumerate(bars):
            found = np.stack(
                [price_units(getattr(own, name), f"{name} of {own.symbol}") for name in PRICES]
            )
            prices[:, rows[column], column] = np.where((found > 0).all(axis=0), found, 0)
            volume[rows[column], column] = own.volume
        steps = increments or {}
        sizes = tuple(to_units(steps.get(name, Decimal(1)), "increment") for name in symbols)
        return cls(symbols, sizes, clock, prices, volume, rows)

    def bar(self, row: int, column: int) -> Bar | None:
        """The symbol's bar of a row; None where it has none."""
        opened, high, low, close = self.prices[:, row, column].tolist()
        if not close:
            return None
        return Bar(opened, high, low, close, float(self.volume[row, column]))

    def on_clock(self, values: Sequence[Floats]) -> Floats:
        """Values of each symbol's own bars as an array of shape (n, s), NaN where it has none."""
        table = np.full(self.volume.shape, np.nan)
        for column, own in enumerate(values):
            table[self.rows[column], column] = own
        return table


def _rows(bars: Bars, clock: Clock) -> npt.NDArray[np.int64]:
    stamps = bars.timestamps.astype("datetime64[ns]").view(np.int64)
    rows = np.searchsorted(clock.starts, stamps)
    found = rows < len(clock)
    found[found] = clock.starts[rows[found]] == stamps[found]
    if not found.all():
        raise DataError(
            bars.symbol, f"its bar at {bars.timestamps[~found][0]} is not on the clock",
            "make the clock of all symbols' timestamps",
        )  # fmt: skip
    return rows
