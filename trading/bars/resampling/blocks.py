"""Bars over sessions from daily ones: blocks of k sessions, numbered from 2000-01-03.

Block = floor((n(session) - n(2000-01-03)) / k), where n counts the sessions of the New York Stock
Exchange. Blocks are the same for every symbol, so that neither a gap nor a filter shifts one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from trading.bars.intervals import SESSION_INTERVALS, Interval
from trading.bars.model import Bars
from trading.bars.resampling.kernel import Rows, joined_rows, priced_rows
from trading.bars.resampling.model import ResampledBars
from trading.errors import DataError
from trading.instruments.calendar import Dates, Sessions, sessions
from trading.instruments.clock import local_times

ANCHOR = date(2000, 1, 3)
"""The session whose number is 0, a Monday."""

Numbers = npt.NDArray[np.int64]
"""Session or block numbers, negative before the anchor, shape (n,)."""


def session_numbers(dates: Dates) -> Numbers:
    """How many sessions after the anchor each of the given sessions is.

    Args:
        dates: New York dates of sessions, `datetime64[D]`, shape (n,).

    Raises:
        ValueError: One of the dates has no session.
    """
    calendar = _calendar_around(dates)
    position = np.searchsorted(calendar.within.dates, dates)
    if not np.array_equal(calendar.within.dates[position], dates):
        strange = dates[calendar.within.dates[position] != dates][0]
        raise ValueError(f"{strange} is no session of the New York Stock Exchange")
    return position - calendar.anchor


def block_sessions(interval: Interval, first: date, last: date) -> Sessions:
    """The sessions of all blocks that have one from `first` to `last`.

    This is what must be read so that the blocks of that stretch come out whole.

    Args:
        interval: An interval over sessions.
        first: First date.
        last: Last date, included.
    """
    touched = sessions(first, last)
    if not len(touched):
        return touched
    calendar = _calendar_around(touched.dates)
    blocks = session_numbers(touched.dates[[0, -1]]) // interval.sessions
    return calendar.stretch(blocks[0] * interval.sessions, (blocks[1] + 1) * interval.sessions)


def resample_sessions(
    daily: Bars, intervals: Iterable[Interval] = SESSION_INTERVALS
) -> dict[Interval, ResampledBars]:
    """Bars of the given numbers of sessions.

    A bar is labelled by the open of its block's first session and available from the close of its
    last one. A block of which the data have not all sessions, as the one that is still open, is
    not `complete`; one without any is not emitted. Rows on dates without a session, or without a
    price, take no part.

    Args:
        daily: Bars of one session, labelled by any moment of the session's date in New York.
        intervals: Intervals over sessions.

    Raises:
        DataError: Two rows belong to one session.
        ValueError: An interval counts minutes.
    """
    rows, dates = _on_sessions(priced_rows(daily))
    return {interval: _resampled(rows, dates, interval.sessions) for interval in intervals}


@dataclass(frozen=True, slots=True, eq=False)
class _Calendar:
    """Sessions with the number of each: its position less that of the anchor."""

    within: Sessions
    anchor: int

    def stretch(self, first: int, end: int) -> Sessions:
        part = slice(self.anchor + first, self.anchor + end)
        return Sessions(self.within.dates[part], self.within.opens[part], self.within.closes[part])


def _calendar_around(dates: Dates) -> _Calendar:
    """A calendar that holds the anchor and the whole block of every date, whatever its length."""
    span = np.sort(np.append(dates, np.datetime64(ANCHOR)))[[0, -1]]
    years = (span.astype("datetime64[Y]").astype(int) + 1970).tolist()
    # A block is shorter than a year. Whole decades, so that many calls share one calendar.
    first = min(ANCHOR.year, (years[0] - 1) // 10 * 10)
    last = (years[1] + 1) // 10 * 10 + 9
    within = sessions(date(first, 1, 1), date(last, 12, 31))
    return _Calendar(within, int(np.searchsorted(within.dates, np.datetime64(ANCHOR))))


def _on_sessions(rows: Rows) -> tuple[Rows, Dates]:
    dates = local_times(rows.bars.timestamps).astype("datetime64[D]")
    trading = np.isin(dates, _calendar_around(dates).within.dates)
    rows, dates = Rows(rows.bars[trading], rows.dollars[trading]), dates[trading]
    twice = dates[1:][dates[1:] == dates[:-1]]
    if len(twice):
        raise DataError(
            f"daily bars of {rows.bars.symbol}",
            f"the session of {twice[0]} has more than one",
            "pass one bar per session",
        )
    return rows, dates


def _resampled(rows: Rows, dates: Dates, length: int) -> ResampledBars:
    calendar = _calendar_around(dates)
    numbers = session_numbers(dates) // length
    firsts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
    begin = calendar.anchor + numbers[firsts] * length
    bars, present = joined_rows(rows, firsts, calendar.within.opens[begin])
    return ResampledBars(
        bars=bars,
        available_at=calendar.within.closes[begin + length - 1],
        expected=np.full(len(firsts), length),
        present=present,
    )
