"""One minute of one symbol, built from its ticks in whatever order and however often they come."""

from __future__ import annotations

import math
from bisect import bisect_right

import msgspec

from trading.events import Tick, WholeMinute

NOT_YET = -1
"""The number of a whole minute that nobody has told."""


class Minute(msgspec.Struct, array_like=True):
    """What is known of a minute; the same ticks make the same minute in every order.

    Sums are exact until they are read, so that no order of adding shows in their bits.

    Attributes:
        first: Moment and number of the first trade.
        last: Moment and number of the last trade.
        open: Its price.
        close: The last one's price.
        high: Highest price.
        low: Lowest price.
        trades: How many.
        volume: Shares, as parts that do not overlap and whose sum is exact.
        dollars: Price times shares, likewise.
        seen: Numbers of the trades: begin and end of each run of consecutive ones, in order.
        whole: The minute as a source told it, which counts instead of the trades.
        whole_number: The number of that telling.
    """

    first: tuple[int, int] = (0, 0)
    last: tuple[int, int] = (0, 0)
    open: float = 0.0
    close: float = 0.0
    high: float = -math.inf
    low: float = math.inf
    trades: int = 0
    volume: list[float] = []
    dollars: list[float] = []
    seen: list[int] = []
    whole: WholeMinute | None = None
    whole_number: int = NOT_YET

    def add(self, tick: Tick) -> bool:
        """Take a tick in; whether it changes what the minute is."""
        if tick.minute is not None:
            if tick.number <= self.whole_number:
                return False
            changed = self.whole != tick.minute
            self.whole, self.whole_number = tick.minute, tick.number
            return changed
        if not self._is_new(tick.number):
            return False
        self._add_trade(tick)
        return self.whole is None

    def values(self) -> tuple[float, ...]:
        """Open, high, low, close, volume, vwap and trades; NaN for what is not known."""
        if self.whole is not None:
            w = self.whole
            vwap = math.nan if w.vwap is None else w.vwap
            trades = math.nan if w.trades is None else w.trades
            return w.open, w.high, w.low, w.close, w.volume, vwap, trades
        volume = math.fsum(self.volume)
        vwap = math.fsum(self.dollars) / volume if volume else math.nan
        return self.open, self.high, self.low, self.close, volume, vwap, float(self.trades)

    def _add_trade(self, tick: Tick) -> None:
        price, key = tick.price, (tick.ts, tick.number)
        if not self.trades or key < self.first:
            self.first, self.open = key, price
        if not self.trades or key > self.last:
            self.last, self.close = key, price
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.trades += 1
        _add_exactly(self.volume, tick.size)
        _add_exactly(self.dollars, price * tick.size)

    def _is_new(self, number: int) -> bool:
        """Note a number; False when it was there."""
        seen = self.seen
        if seen and seen[-1] == number:  # the next one, as sources mostly count
            seen[-1] = number + 1
            return True
        at = bisect_right(seen, number)
        if at % 2:
            return False
        joins_before = at > 0 and seen[at - 1] == number
        joins_after = at < len(seen) and seen[at] == number + 1
        begin = at - 1 if joins_before else at
        end = at + 1 if joins_after else at
        seen[begin:end] = [number] * (not joins_before) + [number + 1] * (not joins_after)
        return True


def _add_exactly(parts: list[float], value: float) -> None:
    """Add to a sum that is kept exact as parts that do not overlap.

    Source: J. R. Shewchuk, Adaptive Precision Floating-Point Arithmetic (1997), as in the recipe
    behind `math.fsum`.
    """
    kept = 0
    for part in parts:
        larger, smaller = (value, part) if abs(value) >= abs(part) else (part, value)
        value = larger + smaller
        rest = smaller - (value - larger)
        if rest:
            parts[kept] = rest
            kept += 1
    parts[kept:] = [value]
