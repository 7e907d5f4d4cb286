"""Which bars of which trading sessions are complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from adapters.market_data.protocol import CloseInterval, ClosePrices
from trading.arrays import Timestamps
from trading.instruments.calendar import sessions
from trading.instruments.clock import local_times, to_datetime64

HOUR = np.timedelta64(1, "h")

SHOWN_STARTS = 3
"""Times of day that a message lists."""

SETTLING = np.timedelta64(30, "m")
"""How long after its end a bar may still change: the VIX trades 15 minutes longer than stocks
and is shown 15 minutes late."""


@dataclass(frozen=True, slots=True, eq=False)
class TradingDays:
    """Consecutive sessions with the dates they fall on, one row each.

    Attributes:
        dates: New York dates as `datetime64[D]`, shape (n,).
        midnights: When each date begins in New York, UTC, shape (n,).
        opens: First moment of trading, UTC, shape (n,).
        closes: Last moment of trading, UTC, shape (n,), earlier on early-close days.
    """

    dates: npt.NDArray[np.datetime64]
    midnights: Timestamps
    opens: Timestamps
    closes: Timestamps

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self.dates)

    def positions(self, timestamps: Timestamps) -> npt.NDArray[np.intp]:
        """The session on whose New York date each timestamp falls, -1 when on none."""
        at = np.searchsorted(self.midnights, timestamps, side="right") - 1
        # No session's date has a clock change, which come on Sundays: all last 24 hours.
        inside = (at >= 0) & (timestamps < self.midnights[at] + 24 * HOUR)
        return np.where(inside, at, -1)

    def with_bars(self, interval: CloseInterval, now: datetime) -> npt.NDArray[np.bool_]:
        """Which sessions have a complete bar by `now`."""
        first_end = self.opens + HOUR if interval is CloseInterval.HOUR else self.closes
        return first_end + SETTLING <= to_datetime64(now)

    def complete(self, now: datetime) -> npt.NDArray[np.bool_]:
        """Which sessions are over, with all their bars complete, by `now`."""
        return self.closes + SETTLING <= to_datetime64(now)


def sessions_between(first: date, last: date) -> TradingDays:
    """The sessions from `first` to `last`, both included."""
    found = sessions(first, last)
    local = local_times(found.opens)
    # No session's date has a clock change before the open, which come on Sundays.
    since_midnight = local - local.astype("datetime64[D]")
    return TradingDays(found.dates, found.opens - since_midnight, found.opens, found.closes)


def usable(prices: ClosePrices) -> ClosePrices:
    """`prices` sorted, each timestamp once (its last value), without missing or impossible ones."""
    kept = prices[np.isfinite(prices.close) & (prices.close > 0)]
    # Reversed, because np.unique keeps the first of equal ones.
    timestamps, rows = np.unique(kept.timestamps[::-1], return_index=True)
    return ClosePrices(timestamps, kept.close[::-1][rows])


def complete_stock_bars(
    prices: ClosePrices, days: TradingDays, interval: CloseInterval, now: datetime
) -> ClosePrices:
    """The complete bars of regular trading, where sources also send the running and the odd one.

    Args:
        prices: Of a stock or of the S&P 500, as `usable` returns them.
        days: All sessions that `prices` may fall on.
        interval: `1h`: bars start at the open and every hour after; `1d`: at midnight.
        now: When the data were asked for.
    """
    at = days.positions(prices.timestamps)
    closes = days.closes[at]
    ends = closes if interval is CloseInterval.DAY else np.minimum(prices.timestamps + HOUR, closes)
    return prices[_regular(prices, days, interval) & (ends + SETTLING <= to_datetime64(now))]


def misplaced_starts(prices: ClosePrices, days: TradingDays, interval: CloseInterval) -> str:
    """At what times of day bars of sessions start that start at none of the regular ones.

    Args:
        prices: As `usable` returns them.
        days: All sessions that `prices` may fall on.
        interval: As of `complete_stock_bars`.

    Returns:
        The times of day in New York, the first `SHOWN_STARTS` of them; empty without such bars.
    """
    inside = days.positions(prices.timestamps) >= 0
    local = local_times(prices.timestamps[inside & ~_regular(prices, days, interval)])
    starts = np.unique((local - local.astype("datetime64[D]")).astype("timedelta64[m]"))
    shown = [f"{start // 60:02}:{start % 60:02}" for start in starts.astype(int)[:SHOWN_STARTS]]
    return ", ".join(shown) + (" ..." if len(starts) > SHOWN_STARTS else "")


def _regular(
    prices: ClosePrices, days: TradingDays, interval: CloseInterval
) -> npt.NDArray[np.bool_]:
    """Which bars start at a time at which bars of regular trading do."""
    at = days.positions(prices.timestamps)
    regular: npt.NDArray[np.bool_] = prices.timestamps == days.midnights[at]
    if interval is not CloseInterval.DAY:
        since_open = prices.timestamps - days.opens[at]
        regular = (since_open >= 0 * HOUR) & (since_open % HOUR == 0 * HOUR)
        regular &= prices.timestamps < days.closes[at]
    return regular & (at >= 0)


def complete_vix_bars(
    prices: ClosePrices, days: TradingDays, interval: CloseInterval, now: datetime
) -> ClosePrices:
    """The complete VIX bars, stamped so that none is joined to a bar that ended before it.

    The VIX keeps hours of its own, and its hourly bars are looked up as of a stock's bar start.
    A bar that starts before the close and ends after it would thereby reach the day's last, short
    stock bar, which knows nothing after the close: it is stamped with the close instead. Daily
    bars are joined by date, as daily VIX closes always are (4:15 p.m. against 4 p.m.).
    """
    if interval is CloseInterval.DAY:
        return complete_stock_bars(prices, days, interval, now)
    at = days.positions(prices.timestamps)
    complete = (at >= 0) & (prices.timestamps + HOUR + SETTLING <= to_datetime64(now))
    starts, closes = prices.timestamps[complete], days.closes[at[complete]]
    straddling = (starts < closes) & (starts + HOUR > closes)
    stamped = np.where(straddling, closes, starts)
    # A bar that starts at the close ends later than the one moved there: it is the one kept.
    kept = ~(straddling & np.isin(stamped, starts))
    return ClosePrices(stamped, prices.close[complete])[kept]
