"""Bars within sessions from minutes: every interval of one session, or of many, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.bars.intervals import MINUTE_INTERVALS, Interval
from trading.bars.model import Bars
from trading.bars.resampling.grid import MINUTE, Positions, bars_at
from trading.bars.resampling.kernel import Rows, joined_rows, priced_rows
from trading.bars.resampling.model import ResampledBars
from trading.errors import DataError
from trading.instruments.calendar import Sessions


def resample_minutes(
    minutes: Bars, within: Sessions, intervals: Iterable[Interval] = MINUTE_INTERVALS
) -> dict[Interval, ResampledBars]:
    """Bars of the given intervals, anchored at each session's open.

    Each session is by itself: resampling it alone gives the same bits. A bar without a minute in
    it is not emitted; minutes outside the sessions, or without a price, take no part.

    Args:
        minutes: Bars of one minute.
        within: The sessions to make bars of, in order.
        intervals: Intervals within a session.

    Raises:
        DataError: Two minutes have the same timestamp, or one is not on a full minute.
        ValueError: An interval counts sessions.
    """
    placed = _placed(minutes, within)
    return {interval: _resampled(placed, within, interval.minutes) for interval in intervals}


def session_bars(minutes: Bars, within: Sessions) -> ResampledBars:
    """One bar per session that has a minute, counted in minutes: what daily bars are made of.

    Args:
        minutes: Bars of one minute.
        within: The sessions to make bars of, in order.

    Raises:
        DataError: Two minutes have the same timestamp, or one is not on a full minute.
    """
    longest = int(((within.closes - within.opens) // MINUTE).max(initial=1))
    return _resampled(_placed(minutes, within), within, longest)


@dataclass(frozen=True, slots=True, eq=False)
class _Placed:
    """Minutes inside sessions.

    Attributes:
        rows: The minutes, shape (n,).
        session: Position of each one's session, shape (n,).
        minute: Minutes since the session's open, shape (n,).
        begins: Where a session's first minute is, shape (n,).
    """

    rows: Rows
    session: Positions
    minute: npt.NDArray[np.uint32]
    begins: npt.NDArray[np.bool_]


def _placed(minutes: Bars, within: Sessions) -> _Placed:
    rows = priced_rows(minutes)
    stamps = rows.bars.timestamps
    begin, end = (np.searchsorted(stamps, edges) for edges in (within.opens, within.closes))
    counts = end - begin
    session = np.repeat(np.arange(len(within)), counts)
    if len(session) != len(stamps):
        shift = begin - (np.cumsum(counts) - counts)
        inside = np.arange(len(session)) + shift[session]
        rows = Rows(rows.bars[inside], rows.dollars[inside])
    since_open = rows.bars.timestamps.view(np.int64) - within.opens.view(np.int64)[session]
    nanoseconds = MINUTE.astype(int)
    minute = since_open // nanoseconds
    ragged = minute * nanoseconds != since_open
    if ragged.any():
        odd = rows.bars.timestamps[ragged][0]
        raise DataError(
            f"minutes of {minutes.symbol}",
            f"{odd} UTC is not a full minute",
            "label each bar by the start of its minute",
        )
    begins = np.zeros(len(session), bool)
    begins[(np.cumsum(counts) - counts)[counts > 0]] = True
    # Small unsigned integers are the fastest to divide.
    return _Placed(rows, session, minute.astype(np.uint32), begins)


def _resampled(placed: _Placed, within: Sessions, length: int) -> ResampledBars:
    if length == 1:
        return _single_minutes(placed.rows)
    number = placed.minute // np.uint32(length)
    begins = placed.begins.copy()
    begins[1:] |= number[1:] != number[:-1]
    firsts = np.flatnonzero(begins)
    grid = bars_at(within, placed.session[firsts], number[firsts].astype(np.int64), length)
    bars, present = joined_rows(placed.rows, firsts, grid.starts)
    return ResampledBars(bars=bars, available_at=grid.ends, expected=grid.minutes, present=present)


def _single_minutes(rows: Rows) -> ResampledBars:
    """Each minute as a bar: a session's length in minutes is whole, so none is cut off."""
    stamps = rows.bars.timestamps
    bars, present = joined_rows(rows, np.arange(len(stamps)), stamps)
    return ResampledBars(
        bars=bars, available_at=stamps + MINUTE, expected=np.ones_like(present), present=present
    )
