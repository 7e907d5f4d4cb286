"""Sessions of the New York Stock Exchange, and the bars that are due in them.

`exchange_calendars` brings pandas, so it is imported where it is used: a partition's process
never gets there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.instruments.clock import local_times

Dates = npt.NDArray[np.datetime64]
TimesOfDay = npt.NDArray[np.timedelta64]
"""New York wall-clock times since midnight as `timedelta64[s]`, increasing, shape (m,)."""

EXCHANGE = "XNYS"

MIN_DATE_SHARE = 0.5
"""Share of the data's dates on which a time of day must occur to be more than a stray bar, such
as the 13:00 close of a half day or the running bar of a download."""


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Trading sessions in order, arrays of shape (s,).

    Attributes:
        dates: New York dates, `datetime64[D]`.
        opens: First moment of trading, UTC.
        closes: Last moment of trading, UTC; 13:00 in New York on half days.
    """

    dates: Dates
    opens: Timestamps
    closes: Timestamps

    def __len__(self) -> int:
        """How many sessions there are."""
        return len(self.dates)

    def __getitem__(self, rows: slice | npt.NDArray[np.bool_]) -> Sessions:
        """The sessions at the given positions, or where the given mask holds."""
        return Sessions(self.dates[rows], self.opens[rows], self.closes[rows])

    @property
    def opening_times(self) -> TimesOfDay:
        """When each opens by the clock of New York, since midnight, shape (s,)."""
        return local_times(self.opens) - self.dates

    @property
    def closing_times(self) -> TimesOfDay:
        """When each closes, likewise."""
        return local_times(self.closes) - self.dates


def sessions(first: date, last: date) -> Sessions:
    """The sessions from `first` to `last`, both included; none when `last` is before `first`."""
    if last < first:
        nothing = np.empty(0, "datetime64[ns]")
        return Sessions(nothing.astype("datetime64[D]"), nothing, nothing)
    # Whole years, so that many calls share one calendar, whose default range is 20 years.
    everything = sessions_of_years(first.year, last.year)
    begin = np.searchsorted(everything.dates, np.datetime64(first))
    end = np.searchsorted(everything.dates, np.datetime64(last), side="right")
    return everything[begin:end]


def hourly_bars(within: Sessions) -> Timestamps:
    """Hourly stamps: each session's open, every full hour after it before the close, the close.

    A full session has 9:30, 10:30 ... 15:30 and 16:00 in New York, a half day 9:30 ... 12:30 and
    13:00.
    """
    hours = np.arange(24) * np.timedelta64(3600, "s")
    stamps = within.opens[:, None] + hours
    inside = stamps < within.closes[:, None]
    return np.sort(np.concatenate([stamps[inside], within.closes]))


def times_of_day(timestamps: Timestamps) -> TimesOfDay:
    """The New York times of day that occur on at least `MIN_DATE_SHARE` of the data's dates."""
    local = local_times(timestamps)
    dates = local.astype("datetime64[D]")
    times, occurrences = np.unique(local - dates, return_counts=True)
    return times[occurrences >= MIN_DATE_SHARE * len(np.unique(dates))]


def expected_bars(times: TimesOfDay, within: Sessions) -> Timestamps:
    """The stamps that bars at these times of day have in the given sessions.

    Args:
        times: Times of day, for instance from `times_of_day`.
        within: The sessions; a time outside a session's trading makes no stamp there, while the
            open and the close count as inside.

    Returns:
        UTC stamps, increasing.
    """
    stamps = within.opens[:, None] + (times - within.opening_times[:, None])
    inside = (within.opens[:, None] <= stamps) & (stamps <= within.closes[:, None])
    expected: Timestamps = stamps[inside]
    return expected


def times_on_every_session(times: TimesOfDay, within: Sessions) -> Timestamps:
    """The stamps of these times of day on each session, whether the exchange is open then or not.

    Args:
        times: Times of day, for instance from `times_of_day`.
        within: The sessions.

    Returns:
        UTC stamps, increasing.
    """
    # No session's date has a clock change before the last of its bars: those come on Sundays.
    stamps: Timestamps = (within.opens[:, None] + (times - within.opening_times[:, None])).ravel()
    return stamps


@lru_cache(maxsize=128)  # a backfill of decades by year comes by each year for every symbol
def sessions_of_years(first: int, last: int) -> Sessions:
    """All sessions of the years from `first` to `last`, both included."""
    import exchange_calendars  # noqa: PLC0415 - brings pandas, see the module's docstring

    calendar = exchange_calendars.get_calendar(
        EXCHANGE, start=f"{first}-01-01", end=f"{last}-12-31"
    )
    return Sessions(
        calendar.sessions.to_numpy().astype("datetime64[D]"),
        calendar.opens.dt.tz_convert(None).to_numpy().astype("datetime64[ns]"),
        calendar.closes.dt.tz_convert(None).to_numpy().astype("datetime64[ns]"),
    )
