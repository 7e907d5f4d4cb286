"""The process that puts a source's ticks on the bus."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from database.connection import Database
from database.live.bars import last_live_minute
from database.live.subscriptions import subscriptions
from live.bus.port import Bus
from live.stream.source import TickSource
from trading.bars.folding.session import MINUTE
from trading.events import CLOCK, Stream, Tick
from trading.instruments.clock import nanoseconds_of

_LOOK_SECONDS = 2.0
"""How often the symbols that are asked for are looked up."""


class Publishing:
    """A source with where its ticks go.

    Args:
        source: Where ticks come from.
        bus: Where they go.
        database: Where the symbols that are asked for stand.
    """

    def __init__(self, source: TickSource, bus: Bus, database: Database) -> None:
        self._source = source
        self._bus = bus
        self._database = database
        self._asked: frozenset[str] | None = None
        self._look_at = 0.0

    def step(self, wait_seconds: float = 1.0) -> int:
        """Put the next ticks on the bus; how many, the times among them.

        Raises:
            BusError, DatabaseError, SourceError: The process ends, and goes on when begun again.
        """
        self._look()
        ticks = self._source.take(wait_seconds)
        self._bus.publish_many(Stream.TICKS, ((tick.symbol, tick) for tick in ticks))
        return len(ticks)

    def figures(self) -> Mapping[str, Any]:
        """What it has done, for its sign of life."""
        return self._source.figures()

    def _look(self) -> None:
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + _LOOK_SECONDS
        asked = subscriptions(self._database)
        if asked != self._asked:
            self._asked = asked
            self._source.subscribe(asked)


def last_time_known(bus: Bus, database: Database) -> int:
    """The last time on the bus; without one the end of the last live bar, 0 when there is none.

    A database that was restored, or whose bus was emptied, has books and bars of times that an
    empty bus knows nothing of.

    Raises:
        BusError, DatabaseError: One of them cannot be read.
    """
    if told := last_time_told(bus):
        return told
    minute = last_live_minute(database)
    return 0 if minute is None else nanoseconds_of(minute) + MINUTE


def last_time_told(bus: Bus) -> int:
    """The last time on the bus, from which a source goes on; 0 when there is none.

    Raises:
        BusError: The bus cannot be read.
    """
    count = 1_000
    while True:
        batch = bus.read_latest(Stream.TICKS, count)
        times = [e.ts for e in batch.events if isinstance(e, Tick) and e.symbol == CLOCK]
        if times or len(batch.events) < count:
            return max(times, default=0)
        count *= 10
