"""Bars from ticks: the process around the fold.

What it knows, the open windows and the place in the bus, is saved together now and then. After its
end it reads the ticks since then again and publishes the same bars once more, with the same
identities.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import date
from typing import Any

from database.connection import Database
from database.live.bars import live_bars_since, save_live_bars
from database.live.consumers import ConsumerState, load_state, save_state
from live.bus.port import BEGINNING, Bus
from trading.bars.folding.fold import Fold, FoldSettings
from trading.errors import DataError
from trading.events import CLOCK, BarClosed, Stream, Tick
from trading.instruments.clock import exchange_date, moment_of

CONSUMER = "windows"
TICKS_AT_ONCE = 5_000
BARS_LOOKED_AT = 50_000
"""More than close at one moment: 5,000 symbols with all lengths."""

_SAVE_SECONDS = 10.0
_MOST_OF_THE_TIME = 0.05
"""Share of the time that saving may take: of thousands of symbols it takes longer."""

logger = logging.getLogger(__name__)


class Windows:
    """The fold with what it reads and writes.

    Args:
        bus: Where ticks are from, and where bars go.
        database: Where bars and the state are kept.
        settings: How bars are made.
        session_over: Told the New York date of each session that takes no ticks any more, before
            that is saved: it may be told one again.
        save_seconds: How often the state is saved, at most.
    """

    def __init__(
        self,
        bus: Bus,
        database: Database,
        settings: FoldSettings = FoldSettings(),  # noqa: B008 - frozen
        *,
        session_over: Callable[[date], object] = lambda _: None,
        save_seconds: float = _SAVE_SECONDS,
    ) -> None:
        self._bus = bus
        self._database = database
        self._session_over = session_over
        self._save_seconds = save_seconds
        self._save_at = time.monotonic() + save_seconds
        self._is_whole = True
        self.ticks = self.bars = self.gaps = 0
        self._fold, offset = _begun(load_state(database, CONSUMER), settings)
        self._offset = offset
        self._tail = bus.tail(Stream.TICKS, offset)
        if self._fold.clock:
            self._tell_again()

    def step(self, wait_seconds: float = 1.0) -> list[BarClosed]:
        """Take in the next ticks, and publish and keep the bars that they close.

        Raises:
            BusError, DatabaseError: Nothing is lost: the next process reads the ticks again.
        """
        batch = self._tail.fetch(TICKS_AT_ONCE, wait_seconds)
        if batch.missed:
            self.gaps += 1
            logger.error(
                "Ticks after %s were forgotten by the bus before they were read; bars of that time "
                "lack them until the day's bars replace them",
                self._offset,
            )
        ticks = [event for event in batch.events if isinstance(event, Tick)]
        self._is_whole = False
        bars = list(self._fold.take(ticks))
        # Kept first: who reads a bar on the bus finds those before it in the database.
        save_live_bars(self._database, bars)
        self._bus.publish_many(Stream.BARS, ((bar.symbol, bar) for bar in bars))
        for session in self._fold.sessions_over():
            self._session_over(exchange_date(session.close))
        self._offset, self._is_whole = batch.offset, True
        self.ticks += sum(tick.symbol != CLOCK for tick in ticks)
        self.bars += len(bars)
        if time.monotonic() >= self._save_at:
            self.save()
        return bars

    def _tell_again(self) -> None:
        """Publish the bars that the database has and the bus lost, as in its machine's crash."""
        latest = self._bus.read_latest(Stream.BARS, BARS_LOOKED_AT).events
        there = {event.identity for event in latest}
        since = max(
            (event.available_at for event in latest if isinstance(event, BarClosed)),
            default=self._fold.session_open,
        )
        kept = live_bars_since(self._database, moment_of(since))
        # Those that come of ticks after the saved place are made again, in their order.
        lost = [bar for bar in kept if bar.identity not in there and self._fold.has_told(bar)]
        if lost:
            logger.warning(
                "The bus lacks %d bars of the database; publishing them again.", len(lost)
            )
            self._bus.publish_many(Stream.BARS, ((bar.symbol, bar) for bar in lost))

    def save(self) -> None:
        """Save the state, unless a step was broken off: what it had not published would be lost.

        Raises:
            DatabaseError: The database did not take it; the one before is still there.
        """
        if not self._is_whole:
            return
        begun = time.monotonic()
        save_state(self._database, CONSUMER, ConsumerState(self._offset, self._fold.stored()))
        ended = time.monotonic()
        pause = max(self._save_seconds, (ended - begun) / _MOST_OF_THE_TIME)
        self._save_at = ended + pause

    def figures(self) -> dict[str, Any]:
        """What it has done, for its sign of life."""
        counted = self._fold.counters
        return {
            "ticks": self.ticks,
            "bars": self.bars,
            "clock": self._fold.clock,
            "late": counted.late,
            "too_late": counted.too_late,
            "outside": counted.outside,
            "unsound": counted.unsound,
            "gaps": self.gaps,
        }


def _begun(stored: ConsumerState | None, settings: FoldSettings) -> tuple[Fold, str]:
    """The fold as it was saved, or a new one from the first tick that the bus has."""
    if stored is None:
        return Fold(settings), BEGINNING
    try:
        return Fold.restored(stored.state, settings), stored.offset
    except DataError as error:
        logger.warning("%s Bars are rebuilt from the first tick that the bus has.", error)
        return Fold(settings), BEGINNING
