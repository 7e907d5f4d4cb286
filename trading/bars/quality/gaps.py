"""Gaps: which of the bars that the calendar expects are missing, and the likely reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.instruments.calendar import Sessions
from trading.instruments.clock import midnights


class GapReason(StrEnum):
    """Why bars are missing, from the worst to the most harmless."""

    FAILED = "failed"
    """The source failed, or what it delivered was refused."""
    NOT_SERVED = "not served"
    """The source answered and has no bars where others of it make them likely."""
    NOT_OVER = "not over"
    """The session was not over when it was asked for."""
    HALTED = "suspected halt"
    """A stretch within the session that chance does not explain."""
    NO_TRADE = "no trade"
    """Few enough to be minutes in which nobody traded."""


OPEN = frozenset({GapReason.FAILED, GapReason.NOT_SERVED, GapReason.NOT_OVER})
"""Reasons for which bars are asked for again; the other two explain why there are none."""

LONG_MINUTES = 5
"""From which length on a stretch may be a halt: those of single stocks last five minutes."""

SURE = 0.999
"""Highest share of bars with trades that a session can show its stock to have."""

CHANCE = 0.01
"""Expected number of such stretches in a session below which chance does not explain one."""


@dataclass(frozen=True, slots=True)
class SessionGap:
    """What is missing of one session.

    Attributes:
        session: Its New York date.
        expected: Bars that the calendar expects.
        present: Those of them that are there.
        missing: First and last start of each stretch that is missing, UTC in ISO 8601.
        reason: Why.
    """

    session: date
    expected: int
    present: int
    missing: tuple[tuple[str, str], ...]
    reason: GapReason

    @property
    def is_open(self) -> bool:
        """Whether the bars are still wanted."""
        return self.reason in OPEN


def expected_starts(opened: np.datetime64, closed: np.datetime64, interval: Interval) -> Timestamps:
    """Starts of a session's bars of an intraday interval, UTC; the last one may be shorter."""
    step = np.timedelta64(interval.minutes, "m")
    starts: Timestamps = np.arange(opened, closed, step).astype("datetime64[ns]")
    return starts


def grid(within: Sessions, interval: Interval) -> Timestamps:
    """Starts of all bars that sessions should have; of daily ones midnights in New York."""
    if not interval.is_intraday:
        return midnights(within.dates)
    parts = [
        expected_starts(o, c, interval) for o, c in zip(within.opens, within.closes, strict=True)
    ]
    return np.concatenate([np.empty(0, "datetime64[ns]"), *parts])


def session_gaps(
    stamps: Timestamps, within: Sessions, interval: Interval, now: np.datetime64
) -> tuple[SessionGap, ...]:
    """The gap of each session that lacks bars, in the order of time.

    Args:
        stamps: Starts of the bars that are there, increasing.
        within: The sessions.
        interval: The bars' length.
        now: Sessions that end later are not over.
    """
    found = []
    for number, day in enumerate(within.dates):
        one = within[number : number + 1]
        starts = grid(one, interval)
        low, high = np.searchsorted(stamps, [starts[0], starts[-1] + np.timedelta64(1, "ns")])
        there = np.isin(starts, stamps[low:high], assume_unique=True)
        if not there.all():
            over = one.closes[0] <= now
            reason = reason_of(there, interval) if over else GapReason.NOT_OVER
            found.append(_gap(day.item(), starts, there, reason))
    return tuple(found)


def failed_gaps(gaps: tuple[SessionGap, ...], reason: GapReason) -> tuple[SessionGap, ...]:
    """The gaps of a delivery that failed: their sessions over, the reason is the failure."""
    return tuple(
        SessionGap(g.session, g.expected, g.present, g.missing, reason)
        if g.reason is not GapReason.NOT_OVER
        else g
        for g in gaps
    )


def reason_of(there: npt.NDArray[np.bool_], interval: Interval) -> GapReason:
    """The worst reason of the stretches that a session lacks, by which of its bars are there.

    A stretch of `LONG_MINUTES` or more is no chance when, with trades in a share d of the other
    bars, fewer than `CHANCE` such stretches were to be expected: n * (1 - d)^length. At the edge
    of the session the source has cut it off, as far as anyone can tell; within it trading may have
    been halted.

    Args:
        there: Whether each expected bar is there, shape (n,); at least one is not.
        interval: The bars' length.
    """
    if not there.any():
        return GapReason.NOT_SERVED
    long = -(-LONG_MINUTES // interval.minutes)
    reasons = {GapReason.NO_TRADE}
    for first, last in stretches(~there):
        length = last - first + 1
        density = min(there.sum() / (len(there) - length), SURE)
        if length < long or len(there) * (1.0 - density) ** length >= CHANCE:
            continue
        at_edge = first == 0 or last == len(there) - 1
        reasons.add(GapReason.NOT_SERVED if at_edge else GapReason.HALTED)
    return min(reasons, key=list(GapReason).index)


def stretches(where: npt.NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """First and last position of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], where, [False])).astype(np.int8)))
    return ((int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True))


def _gap(
    day: date, starts: Timestamps, there: npt.NDArray[np.bool_], reason: GapReason
) -> SessionGap:
    missing = tuple((_iso(starts[a]), _iso(starts[b])) for a, b in stretches(~there))
    return SessionGap(day, len(starts), int(there.sum()), missing, reason)


def _iso(stamp: np.datetime64) -> str:
    return f"{stamp.astype('datetime64[m]')}Z"
