"""The grid of bars within sessions: anchored anew at each open, cut off at the close.

Of a session [O, C) and an interval of k minutes, bar j is [O + jk, min(O + (j+1)k, C)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.bars.resampling.model import Counts
from trading.instruments.calendar import Sessions

MINUTE = np.timedelta64(60_000_000_000, "ns")

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Bars as the calendar has them, whether or not there are data; arrays of shape (b,).

    Attributes:
        session: Position of each bar's session.
        starts: Bar starts, UTC.
        ends: Bar ends, UTC; the last one of a session is its close.
    """

    session: Positions
    starts: Timestamps
    ends: Timestamps

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.starts)

    @property
    def minutes(self) -> Counts:
        """Length of each bar in minutes."""
        lasting = self.ends.view(np.int64) - self.starts.view(np.int64)
        minutes: Counts = lasting // MINUTE.astype(int)
        return minutes


def session_grid(within: Sessions, minutes: int) -> Grid:
    """All bars of the given sessions.

    Args:
        within: The sessions.
        minutes: Length of a bar in minutes, at least 1; any number, not only those of `Interval`.

    Raises:
        ValueError: `minutes` is below 1.
    """
    if minutes < 1:
        raise ValueError(f"a bar lasts at least one minute, not {minutes}")
    counts = -((within.opens - within.closes) // (minutes * MINUTE))
    session = np.repeat(np.arange(len(within)), counts)
    before = np.cumsum(counts) - counts
    return bars_at(within, session, np.arange(len(session)) - before[session], minutes)


def bars_at(
    within: Sessions, session: Positions, number: npt.NDArray[np.integer], minutes: int
) -> Grid:
    """The bars with the given numbers.

    Args:
        within: The sessions.
        session: Position of each bar's session, shape (b,).
        number: Which bar of its session it is, from 0, shape (b,).
        minutes: Length of a bar in minutes.
    """
    # As integers, several times as fast: NumPy looks at every datetime for a missing one.
    opens, closes = (edges.view(np.int64) for edges in (within.opens, within.closes))
    length = minutes * MINUTE.astype(int)
    starts = opens[session] + number * length
    ends = np.minimum(starts + length, closes[session])
    return Grid(session, *(edges.view("datetime64[ns]") for edges in (starts, ends)))
