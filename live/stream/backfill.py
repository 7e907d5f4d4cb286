"""The minutes of a gap in a stream, fetched by REST beside it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection

import numpy as np

from adapters.market_data.bar_source import BarSource
from adapters.market_data.protocol import SourceError
from live.stream.source import time_tick
from trading.bars.folding.session import MINUTE, session_at
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.errors import DataError
from trading.events import Tick, WholeMinute
from trading.instruments.clock import moment_of

SETTLED_SECONDS = 3.0
"""How long after a minute a vendor may take to have its bar."""

_LOOK_SECONDS = 0.2
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0

logger = logging.getLogger(__name__)


class Backfill:
    """A thread that fetches the minutes of a gap, and goes on until it has them.

    Args:
        source: Who is asked.
        symbols: The symbols.
        begin: Where the gap begins, nanoseconds since 1970 in UTC.
        end: Where it ends: the end of the minute in which the stream came back, since of that
            minute a part is missing as well.
        now: The time, nanoseconds since 1970 in UTC.
        settled_seconds: How long after its end a minute is asked for.
    """

    def __init__(
        self,
        source: BarSource,
        symbols: Collection[str],
        begin: int,
        end: int,
        now: Callable[[], int] = time.time_ns,
        *,
        settled_seconds: float = SETTLED_SECONDS,
    ) -> None:
        self._source = source
        self._symbols = sorted(symbols)
        self._begin = begin // MINUTE * MINUTE
        self._end = end
        self._now = now
        self._settled = int(settled_seconds * 1e9)
        self._given_up = threading.Event()
        self._found: list[Tick] | None = None
        self.refused: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def minutes(self) -> list[Tick] | None:
        """The minutes, with the time before each session; None while they are not all there."""
        return self._found

    def give_up(self) -> None:
        """End it, for instance since the stream was lost again."""
        self._given_up.set()

    def _run(self) -> None:
        while (left := self._end + self._settled - self._now()) > 0:
            if self._given_up.wait(min(left / 1e9, _LOOK_SECONDS)):
                return
        ticks: list[Tick] = []
        for symbol in self._symbols:
            found = self._of_symbol(symbol)
            if found is None:
                return
            ticks += found
        self._found = _with_times(sorted(ticks, key=lambda tick: tick.ts))

    def _of_symbol(self, symbol: str) -> list[Tick] | None:
        """The minutes of a symbol; None when given up."""
        pause = _FIRST_PAUSE
        while not self._given_up.is_set():
            try:
                delivered = self._source.bars(
                    symbol, Interval.MINUTE, moment_of(self._begin), moment_of(self._end)
                )
            except (SourceError, DataError) as error:
                if not getattr(error, "transient", False):
                    logger.error("The gap of %s stays open: %s", symbol, error)  # noqa: TRY400 - expected
                    self.refused.append(symbol)
                    return []
                logger.warning("The gap of %s is fetched again: %s", symbol, error)
                self._given_up.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                return whole_minutes(delivered.bars, self._now())
        return None


def whole_minutes(bars: Bars, number: int) -> list[Tick]:
    """Minutes as ticks.

    Args:
        bars: Bars of one minute.
        number: The number of this telling; a later one is higher.
    """
    columns = [
        [None if value != value else value for value in getattr(bars, name).tolist()]  # noqa: PLR0124 - NaN
        for name in VALUES
    ]
    stamps = bars.timestamps.astype("datetime64[ns]").view(np.int64).tolist()
    return [
        Tick(bars.symbol, ts, values[3], values[4], number, minute=WholeMinute(*values))
        for ts, *values in zip(stamps, *columns, strict=True)
        if None not in values[:5]
    ]


def _with_times(minutes: list[Tick]) -> list[Tick]:
    """The minutes with the time at which each one's session opens, since bars follow the time."""
    told: list[Tick] = []
    close = 0
    for tick in minutes:
        if tick.ts >= close:
            session = session_at(tick.ts, 0)
            told.append(time_tick(session.open))
            close = session.close
        told.append(tick)
    return told
