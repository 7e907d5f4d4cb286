"""Trading sessions of the New York Stock Exchange, and which bars of them are complete."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time

import numpy as np
import numpy.typing as npt

from trading.bars import Timestamps
from trading.exchange_time import NEW_YORK, to_datetime64
from trading.sources import ClosePrices, Interval

HOUR = np.timedelta64(1, "h")

SETTLING = np.timedelta64(30, "m")
"""How long after its end a bar may still change: the VIX trades 15 minutes longer than stocks
and is shown 15 minutes late."""


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Consecutive sessions, one row each.

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

    def with_bars(self, interval: Interval, now: datetime) -> npt.NDArray[np.bool_]:
        """Which sessions have a complete bar by `now`."""
        first_end = self.opens + HOUR if interval is Interval.HOUR else self.closes
        return first_end + SETTLING <= to_datetime64(now)

    def complete(self, now: datetime) -> npt.NDArray[np.bool_]:
        """Which sessions are over, with all their bars complete, by `now`."""
        return self.closes + SETTLING <= to_datetime64(now)


def sessions_between(first: date, last: date) -> Sessions:
    """The sessions from `first` to `last`, both included."""
    import exchange_calendars  # noqa: PLC0415 - brings pandas; importing this module must not

    # A calendar must begin before it ends, and may not begin on the very first date asked for.
    calendar = exchange_calendars.get_calendar("XNYS", start=_a_year_before(first))
    schedule = calendar.schedule.loc[str(first) : str(last)]
    days = [session.date() for session in schedule.index]
    return Sessions(
        np.array(days, "datetime64[D]"),
        np.array([to_datetime64(midnight(day)) for day in days], "datetime64[ns]"),
        schedule["open"].dt.tz_convert(None).to_numpy().astype("datetime64[ns]"),
        schedule["close"].dt.tz_convert(None).to_numpy().astype("datetime64[ns]"),
    )


def _a_year_before(day: date) -> date:
    return date(max(day.year - 1, 1), 1, 1)


def midnight(day: date) -> datetime:
    """When a date begins in New York."""
    return datetime.combine(day, time(), NEW_YORK)


def usable(prices: ClosePrices) -> ClosePrices:
    """`prices` sorted, each timestamp once (its last value), without missing or impossible ones."""
    kept = prices[np.isfinite(prices.close) & (prices.close > 0)]
    # Reversed, because np.unique keeps the first of equal ones.
    timestamps, rows = np.unique(kept.timestamps[::-1], return_index=True)
    return ClosePrices(timestamps, kept.close[::-1][rows])


def complete_stock_bars(
    prices: ClosePrices, sessions: Sessions, interval: Interval, now: datetime
) -> ClosePrices:
    """The complete bars of regular trading, where sources also send the running and the odd one.

    Args:
        prices: Of a stock or of the S&P 500, as `usable` returns them.
        sessions: All sessions that `prices` may fall on.
        interval: `1h`: bars start at the open and every hour after; `1d`: at midnight.
        now: When the data were asked for.
    """
    at = sessions.positions(prices.timestamps)
    opens, closes = sessions.opens[at], sessions.closes[at]
    if interval is Interval.DAY:
        regular = prices.timestamps == sessions.midnights[at]
        ends = closes
    else:
        since_open = prices.timestamps - opens
        regular = (since_open >= 0 * HOUR) & (since_open % HOUR == 0 * HOUR)
        regular &= prices.timestamps < closes
        ends = np.minimum(prices.timestamps + HOUR, closes)
    return prices[(at >= 0) & regular & (ends + SETTLING <= to_datetime64(now))]


def complete_vix_bars(
    prices: ClosePrices, sessions: Sessions, interval: Interval, now: datetime
) -> ClosePrices:
    """The complete VIX bars, stamped so that none is joined to a bar that ended before it.

    The VIX keeps hours of its own, and its hourly bars are looked up as of a stock's bar start.
    A bar that starts before the close and ends after it would thereby reach the day's last, short
    stock bar, which knows nothing after the close: it is stamped with the close instead. Daily
    bars are joined by date, as daily VIX closes always are (4:15 p.m. against 4 p.m.).
    """
    if interval is Interval.DAY:
        return complete_stock_bars(prices, sessions, interval, now)
    at = sessions.positions(prices.timestamps)
    complete = (at >= 0) & (prices.timestamps + HOUR + SETTLING <= to_datetime64(now))
    starts, closes = prices.timestamps[complete], sessions.closes[at[complete]]
    straddling = (starts < closes) & (starts + HOUR > closes)
    stamped = np.where(straddling, closes, starts)
    # A bar that starts at the close ends later than the one moved there: it is the one kept.
    kept = ~(straddling & np.isin(stamped, starts))
    return ClosePrices(stamped, prices.close[complete])[kept]
