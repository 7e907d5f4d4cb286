"""The sessions of one partition, as far as they have begun, and how bars lie in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from lake.bronze.keys import BronzeKey
from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.bars.quality.gaps import grid
from trading.bars.quality.ohlc import SessionPrices
from trading.instruments.calendar import Sessions
from trading.instruments.clock import local_times, to_datetime64

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Sittings:
    """The sessions that a partition should have bars of.

    Attributes:
        interval: Length of a bar.
        every: The partition's sessions by the calendar.
        within: Those of them that have begun and in which the instrument was listed.
        grid: Starts of the bars that these should have, UTC.
        now: The time.
    """

    interval: Interval
    every: Sessions
    within: Sessions
    grid: Timestamps
    now: np.datetime64

    @classmethod
    def of(cls, key: BronzeKey, now: datetime, expected: Callable[[date], bool] | None) -> Sittings:
        """Those of a partition.

        Args:
            key: The partition.
            now: The time.
            expected: Whether the instrument was listed on a date; None when it always was.
        """
        every, moment = key.stretch.sessions(), to_datetime64(now)
        begun = every.opens <= moment
        if expected is not None:
            begun &= np.array([expected(day.item()) for day in every.dates], np.bool_)
        within = every[begun]
        return cls(key.interval, every, within, grid(within, key.interval), moment)

    def closed(self, bars: Bars) -> Bars:
        """The bars that have ended; one that is still open would be frozen half made."""
        return bars[self._ends(bars) <= self.now]

    def split(self, bars: Bars) -> tuple[Bars, Bars]:
        """The bars of days that are sessions, pre- and post-market included, and the others."""
        on_session = np.isin(_dates(bars), self.every.dates)
        return bars[on_session], bars[~on_session]

    def inside(self, bars: Bars) -> Mask:
        """Which bars lie between the open and the close of their session."""
        if not self.interval.is_intraday:
            return np.ones(len(bars), np.bool_)
        at = np.searchsorted(self.every.opens, bars.timestamps, side="right") - 1
        known = at >= 0
        inside = np.zeros(len(bars), np.bool_)
        inside[known] = bars.timestamps[known] < self.every.closes[at[known]]
        return inside

    def prices(self, bars: Bars) -> SessionPrices:
        """What each session with bars between open and close came to."""
        regular = bars[self.inside(bars)]
        dates, begins = np.unique(_dates(regular), return_index=True)
        ends = np.append(begins[1:], len(regular))[: len(begins)] - 1
        return SessionPrices(
            dates=dates,
            open=regular.open[begins],
            close=regular.close[ends],
            volume=np.add.reduceat(regular.volume, begins) if len(begins) else np.empty(0),
        )

    def counts(self, bars: Bars) -> Iterator[tuple[date, int]]:
        """How many bars each session that has any should have."""
        for day in np.intersect1d(self.within.dates, _dates(bars)):
            one = self.within[self.within.dates == day]
            yield day.item(), len(grid(one, self.interval))

    def _ends(self, bars: Bars) -> Timestamps:
        """When each bar ends: a day's at the close of its session, at midnight without one."""
        if self.interval.is_intraday:
            return self._intraday_ends(bars)
        dates = _dates(bars)
        ends: Timestamps = bars.timestamps + np.timedelta64(1, "D")
        at = np.searchsorted(self.every.dates, dates)
        at_most = np.minimum(at, max(0, len(self.every) - 1))
        if len(self.every):
            known = self.every.dates[at_most] == dates
            ends[known] = self.every.closes[at_most[known]]
        return ends

    def _intraday_ends(self, bars: Bars) -> Timestamps:
        ends: Timestamps = bars.timestamps + np.timedelta64(self.interval.minutes, "m")
        inside = self.inside(bars)
        at = np.searchsorted(self.every.opens, bars.timestamps[inside], side="right") - 1
        ends[inside] = np.minimum(ends[inside], self.every.closes[at])
        return ends


def _dates(bars: Bars) -> npt.NDArray[np.datetime64]:
    return local_times(bars.timestamps).astype("datetime64[D]")
