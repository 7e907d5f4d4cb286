"""Minutes of the lake told again, at some times their speed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from lake.reading import read
from lake.silver.bronze_rows import instants
from live.stream.pace import Pace
from live.stream.source import time_tick
from trading.bars.folding.session import MINUTE
from trading.bars.model import VALUES
from trading.errors import ParameterError
from trading.events import Tick, WholeMinute
from trading.instruments.calendar import sessions

_NUMBER = 1
"""Of every minute: told again it is the same one."""

AFTER_CLOSE = 10 * MINUTE
"""How long after a close the last time of its day is told: its bars close by that."""


class ReplayedMinutes:
    """See `live.stream.source.TickSource`.

    Args:
        symbols: The symbols.
        first: First New York date.
        last: Last one, included.
        lake_dir: The lake.
        source: The source of bronze that the minutes are of; None for the only one.
        speed: Simulated seconds in a second; 0 tells minute after minute without waiting.
        after: Minutes that ended by then have been told, nanoseconds since 1970 in UTC.

    Raises:
        ParameterError: There is nothing of the symbols in these days.
    """

    def __init__(
        self,
        symbols: Collection[str],
        first: date,
        last: date,
        *,
        lake_dir: str,
        speed: float,
        source: str | None = None,
        after: int = 0,
    ) -> None:
        self._symbols = frozenset(symbols)
        self._lake_dir = lake_dir
        self._source = source
        self._after = after
        self._days: list[date] = sessions(first, last).dates.tolist()
        self._told = 0
        self.ended = False
        if not any(self._minutes(day) for day in self._days):
            raise ParameterError(
                "from", f"{first} to {last}",
                f"a stretch of which the lake has minutes of {', '.join(sorted(symbols))}",
                "fill it with trading lake ingest --interval 1m, or choose --source synthetic",
            )  # fmt: skip
        self._pace = Pace(0, speed)
        self._steps = self._all_steps()
        self._waiting: tuple[int, list[Tick]] | None = None

    def take(self, wait_seconds: float) -> Sequence[Tick]:
        """The minutes that end next, and the time at their end."""
        if self._waiting is None:
            self._waiting = next(self._steps, None)
        if self._waiting is None:
            self.ended = True
            return []
        moment, ticks = self._waiting
        if not self._pace.wait_until(moment, wait_seconds):
            return []
        self._waiting = None
        self._told += len(ticks)
        return [*(tick for tick in ticks if tick.symbol in self._symbols), time_tick(moment)]

    def subscribe(self, symbols: Collection[str]) -> None:
        """Tell minutes of these symbols, from the next session on those that were not read."""
        self._symbols = frozenset(symbols)

    def figures(self) -> Mapping[str, Any]:
        """How many minutes it has told."""
        return {"ticks": self._told, "symbols": len(self._symbols)}

    def close(self) -> None:
        """Nothing is open."""

    def _all_steps(self) -> Iterator[tuple[int, list[Tick]]]:
        for day in self._days:
            within = sessions(day, day)
            open_, close = (int(edge.astype(np.int64)[0]) for edge in (within.opens, within.closes))
            if self._after >= close + AFTER_CLOSE:
                continue
            by_minute: dict[int, list[Tick]] = defaultdict(list)
            for tick in self._minutes(day):
                by_minute[tick.ts].append(tick)
            if not by_minute:
                continue  # nobody waits hours for a day of which nothing is known
            begin = max(open_, self._after // MINUTE * MINUTE)
            self._pace.jump(begin)
            yield begin, []
            for ts in range(begin, close, MINUTE):
                yield ts + MINUTE, by_minute[ts]
            yield close + AFTER_CLOSE, []

    def _minutes(self, day: date) -> list[Tick]:
        """The minutes of a day's session, in order of time."""
        within = sessions(day, day)
        edges = [edge.astype("datetime64[us]")[0].item() for edge in (within.opens, within.closes)]
        start, end = (moment.replace(tzinfo=UTC) for moment in edges)
        ticks = [
            tick for symbol in sorted(self._symbols) for tick in self._of_symbol(symbol, start, end)
        ]
        return sorted(ticks, key=lambda tick: tick.ts)

    def _of_symbol(self, symbol: str, start: datetime, end: datetime) -> list[Tick]:
        table = read(
            "bronze", symbol, "1m", start, end - timedelta(microseconds=1),
            source=self._source, lake_dir=self._lake_dir,
        )  # fmt: skip
        stamps = instants(table["timestamp"]).astype("datetime64[ns]").view(np.int64).tolist()
        columns = [table[name].to_pylist() for name in VALUES]
        return [
            Tick(symbol, ts, values[3], values[4], _NUMBER, minute=WholeMinute(*values))
            for ts, *values in zip(stamps, *columns, strict=True)
            if None not in values[:5]
        ]
