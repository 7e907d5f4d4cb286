"""What the first bars of a session will need, loaded while none come.

A session begins with a bar of each symbol at the same moment. Were their histories read then, the
last of them would wait for those of all others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from datetime import date

import numpy as np

from database.connection import Database
from database.live.subscriptions import subscriptions
from live.bus.port import Bus
from live.histories.loading import Series
from live.stream.publishing import last_time_told
from trading.instruments.calendar import sessions
from trading.instruments.clock import exchange_date

_AT_ONCE = 10
"""Few enough that a bar that comes meanwhile hardly waits."""

_LOOK_SECONDS = 1.0
_BEFORE_OPEN = 3_600 * 10**9
"""Nanoseconds before the opening from which on the lake has all of the session before."""


class Preparation:
    """Loads the series of all symbols that are asked for, some at a time.

    Args:
        bus: What time it is, is told there.
        database: Where the symbols that are asked for stand.
        series_of: The series that signals of some symbols take.
        load: Loads those of some series that are not loaded for the session of a day.
    """

    def __init__(
        self,
        bus: Bus,
        database: Database,
        series_of: Callable[[Collection[str]], Sequence[Series]],
        load: Callable[[Sequence[Series], date], None],
    ) -> None:
        self._bus = bus
        self._database = database
        self._series_of = series_of
        self._load = load
        self._day: date | None = None
        self._known: frozenset[Series] = frozenset()
        self._rest: list[Series] = []
        self._look_at = 0.0

    @property
    def has_more(self) -> bool:
        """Whether there is more to load at once."""
        return bool(self._rest)

    def go_on(self) -> None:
        """Load the next few, or look from time to time whether there are any.

        Raises:
            BusError, DatabaseError, StorageError: It can be asked again.
            ContentError, DataError: The lake is damaged.
        """
        if self._day is not None and self._rest:
            self._load(self._rest[:_AT_ONCE], self._day)
            del self._rest[:_AT_ONCE]
        elif time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + _LOOK_SECONDS
            self._look()

    def _look(self) -> None:
        now = last_time_told(self._bus)
        day = exchange_date(now)
        if not is_expected(now, day):
            return
        wanted = self._series_of(sorted(subscriptions(self._database)))
        known = self._known if day == self._day else frozenset()
        self._rest = [one for one in wanted if one not in known]
        self._day, self._known = day, known | frozenset(wanted)


def is_expected(now: int, day: date) -> bool:
    """Whether a day's session goes on, or begins within the hour.

    Args:
        now: Nanoseconds since 1970 in UTC.
        day: The session's New York date.
    """
    within = sessions(day, day)
    if not len(within):
        return False
    opens, closes = (int(times.astype(np.int64)[0]) for times in (within.opens, within.closes))
    return opens - _BEFORE_OPEN <= now < closes
