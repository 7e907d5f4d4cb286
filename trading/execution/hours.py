"""When the exchange is open, as a live process asks it. Nanoseconds since 1970 in UTC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.bars.intervals import Interval
from trading.instruments.calendar import Sessions
from trading.units import UNIT

MINUTE = 60 * UNIT
DAY = 24 * 60 * MINUTE

Moments = npt.NDArray[np.int64]


def bar_length(interval: Interval) -> int:
    """How long a bar lasts by the clock on the wall; a session counts as a day."""
    return interval.minutes * MINUTE if interval.is_intraday else interval.sessions * DAY


@dataclass(frozen=True, slots=True, eq=False)
class TradingHours:
    """Sessions of an exchange, arrays of shape (s,), in order.

    Attributes:
        opens: First moment of each session.
        closes: Last moment of each; earlier on half days.
    """

    opens: Moments
    closes: Moments

    @classmethod
    def of(cls, sessions: Sessions) -> TradingHours:
        """Those of some sessions."""
        return cls(
            sessions.opens.astype("datetime64[ns]").view(np.int64),
            sessions.closes.astype("datetime64[ns]").view(np.int64),
        )

    def session(self, now: int) -> int:
        """The number of the session that `now` lies in or, between two, of the last one.

        Numbers grow with time; -1 before the first session.
        """
        return int(np.searchsorted(self.opens, now, side="right")) - 1

    def takes_orders(self, now: int, after_close: int) -> bool:
        """Whether an order can be sent.

        Within a session; and for as long after its close as a decision of its last bar needs to
        get here: that order then fills at the next open, as in a backtest.

        Args:
            now: The moment.
            after_close: How long after a close.
        """
        number = self.session(now)
        return number >= 0 and now <= int(self.closes[number]) + after_close

    def is_open(self, now: int) -> bool:
        """Whether the exchange trades; at the moment of the close it does no more."""
        number = self.session(now)
        return number >= 0 and now < int(self.closes[number])

    def good_until(self, bar_end: int) -> int | None:
        """When a DAY order made of a bar that ends then expires; None beyond the calendar."""
        after = int(np.searchsorted(self.closes, bar_end, side="right"))
        return int(self.closes[after]) if after < len(self.closes) else None

    def bar_end(self, bar: int, interval: Interval) -> int:
        """When a bar that starts at `bar` ends: at its session's close at the latest."""
        first = int(np.searchsorted(self.closes, bar))
        if first >= len(self.closes):
            return bar + bar_length(interval)
        if interval.is_intraday:
            return min(int(self.closes[first]), bar + bar_length(interval))
        last = min(first + interval.sessions - 1, len(self.closes) - 1)
        return int(self.closes[last])
