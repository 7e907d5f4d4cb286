"""Which session a moment's ticks belong to, and its bars by number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from trading.instruments.calendar import sessions
from trading.instruments.clock import exchange_date

MINUTE = 60_000_000_000
"""Nanoseconds."""

_LONGEST_BREAK = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class FoldedSession:
    """A session's hours, nanoseconds since 1970 in UTC.

    Attributes:
        open: Its first moment.
        close: Its end, which is no part of it.
    """

    open: int
    close: int

    @property
    def minutes(self) -> int:
        """How many it has."""
        return (self.close - self.open) // MINUTE

    def bar_of(self, minute: int, length: int) -> tuple[int, int]:
        """The first minute of the bar that a minute is in, and the one after its last."""
        begin = minute // length * length
        return begin, min(begin + length, self.minutes)


def session_at(moment: int, after_close: int) -> FoldedSession:
    """The first session that ends, with some time after it, later than a moment.

    Args:
        moment: Nanoseconds since 1970 in UTC.
        after_close: Nanoseconds for which a session goes on to be the current one.
    """
    day = exchange_date(moment - after_close)
    for hours in _sessions_from(day.isoformat()):
        if hours.close + after_close > moment:
            return hours
    raise ValueError(f"no session follows {day}")


@lru_cache(maxsize=64)
def _sessions_from(day: str) -> tuple[FoldedSession, ...]:
    first = datetime.fromisoformat(day).date()
    found = sessions(first, first + _LONGEST_BREAK)
    opens, closes = (edges.astype("int64").tolist() for edges in (found.opens, found.closes))
    return tuple(FoldedSession(*hours) for hours in zip(opens, closes, strict=True))
