"""Bars per year at the data's own pace, which annualises Sharpe ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.errors import DataError
from trading.instruments.calendar import (
    Dates,
    Sessions,
    expected_bars,
    sessions_of_years,
    times_of_day,
    times_on_every_session,
)
from trading.instruments.clock import bar_dates

FITS = 0.9
"""Share of the bars, or of the gaps between them, that have to follow a calendar to call it theirs:
the others are strays, holidays and holes."""

REGULAR = 1.5
"""How many times longer or shorter than the usual one a gap between two bars may be."""

DAYS_PER_YEAR = 365.2425
"""Of the Gregorian calendar."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many bars a year has.

    Attributes:
        bars_per_year: The count; None where the data follow no calendar that is known.
        reason: Why there is none; empty when there is.
    """

    bars_per_year: float | None
    reason: str = ""


def pace(timestamps: Timestamps) -> Pace:
    """How many bars a year has, counted on the exchange calendar at the data's own pace.

    The count is the calendar's, of whole years, times the share of it that the data have where
    they have any: sessions without a bar (weeks, of daily data) are holes and change no pace.

    - Several bars a date: their times of day that recur, on every session, before an early close;
      with bars before the open or after the close, all of them on every session, since the
      calendar has no early end of late trading.
    - One bar a date, as a rule on each session: the sessions.
    - Fewer: the usual gap in calendar days, when 9 of 10 gaps are about as long.

    Args:
        timestamps: Bar starts, UTC, increasing, shape (n,).

    Raises:
        DataError: There are no timestamps.
    """
    if not len(timestamps):
        raise DataError("timestamps", "there are none", "run the analysis first")
    dates = bar_dates(timestamps)
    days = np.unique(dates)
    first, last = (int(day.astype("datetime64[Y]").astype(int)) + 1970 for day in days[[0, -1]])
    within, years = sessions_of_years(first, last), last - first + 1
    if len(days) < FITS * len(timestamps):
        return _intraday(timestamps, days, within, years)
    if coarser_than_daily(days, within):
        return _coarse(days, within)
    return _daily(days, within, years)


def coarser_than_daily(days: Dates, within: Sessions) -> bool:
    """Whether bars, one a date, as a rule leave out sessions: weekly ones, for instance.

    Args:
        days: The bars' dates, increasing, shape (n,).
        within: All sessions from the first to the last of them, at least.
    """
    return len(days) > 1 and float(np.median(_session_gaps(days, within))) > REGULAR


def _intraday(timestamps: Timestamps, days: Dates, within: Sessions, years: int) -> Pace:
    times = times_of_day(timestamps)
    expected = times_on_every_session if _extended(times, within) else expected_bars
    covered = expected(times, within[np.isin(within.dates, days)])
    if np.isin(timestamps, covered).sum() < FITS * len(timestamps):
        return _unknown("its bars keep no times of day on the sessions of the exchange")
    due = np.count_nonzero((covered >= timestamps[0]) & (covered <= timestamps[-1]))
    return Pace(float(len(expected(times, within)) / years * (len(timestamps) / due)))


def _extended(times: npt.NDArray[np.timedelta64], within: Sessions) -> bool:
    """Whether there is trading before every open or after every close."""
    regular = np.unique(within.opening_times), np.unique(within.closing_times)
    return bool(((times < regular[0].min()) | (times > regular[1].max())).any())


def _daily(days: Dates, within: Sessions, years: int) -> Pace:
    if np.isin(days, within.dates).sum() < FITS * len(days):
        return _unknown("one bar a day, and the exchange does not trade on many of the days")
    covered = np.isin(_weeks(within.dates), _weeks(days))
    due = covered & (within.dates >= days[0]) & (within.dates <= days[-1])
    return Pace(float(len(within) / years * (len(days) / np.count_nonzero(due))))


def _coarse(days: Dates, within: Sessions) -> Pace:
    gaps = _session_gaps(days, within)
    usual = np.median(gaps)
    regular = (gaps >= usual / REGULAR) & (gaps <= usual * REGULAR)
    if regular.sum() < FITS * len(gaps):
        return _unknown("its bars are as far apart as they happen to be")
    return Pace(DAYS_PER_YEAR / float(np.diff(days).astype(np.int64)[regular].mean()))


def _session_gaps(days: Dates, within: Sessions) -> npt.NDArray[np.int64]:
    """Sessions from each date to the next, shape (n - 1,)."""
    return np.diff(np.searchsorted(within.dates, days))


def _weeks(days: Dates) -> npt.NDArray[np.int64]:
    """The number of each date's week, from Monday to Sunday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) // 7


def _unknown(reason: str) -> Pace:
    return Pace(None, f"the data follow no calendar that is known: {reason}")
