"""Prices of the seeded desk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from tests.api.desk.seed_values import (
    BARS,
    COMPANIES,
    DAYS,
    INDEX,
    LIVE_SESSIONS,
    Connection,
    Price,
    insert,
)
from trading.arrays import Floats, Timestamps
from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK, to_datetime


class SeededMarket:
    """A year of days and eight sessions of five minutes of each symbol, which agree."""

    def __init__(self, connection: Connection, now: datetime) -> None:
        self.connection = connection
        self.now = now
        self.random = np.random.default_rng(28)
        today = now.astimezone(NEW_YORK).date()
        self.sessions = sessions(today - timedelta(days=DAYS * 3 // 2), today)
        self.live: dict[str, list[Price]] = {}
        self.daily: dict[str, list[Price]] = {}

    def fill(self) -> None:
        self.connection.execute(
            "CREATE TABLE bar_1d_seed PARTITION OF bar_1d FOR VALUES FROM (MINVALUE) TO (MAXVALUE)"
        )
        index = np.cumsum(self.random.normal(0.0004, 0.008, DAYS))
        for symbol, level in [*((s, c[2]) for s, c in COMPANIES.items()), (INDEX, 6010.0)]:
            own = np.cumsum(self.random.normal(0.0002, 0.011, DAYS))
            path = index if symbol == INDEX else 0.9 * index + own
            self._daily(symbol, level * np.exp(path - path[-1]))
            self._live(symbol)
        columns = "symbol, ts, open, high, low, close, volume, source, known_at, run_id"
        insert(
            self.connection,
            "bar_1d",
            columns,
            (
                (symbol, *bar, "synthetic", self.now, 1)
                for symbol, bars in self.daily.items()
                for bar in bars[:-1]
            ),
        )
        columns = (
            "symbol, interval, ts, open, high, low, close, volume, vwap, trades, revision, "
            "available_at"
        )
        insert(
            self.connection,
            "live_bar",
            columns,
            (
                (symbol, "5m", *bar, bar[4], 900, 0, bar[0] + timedelta(minutes=5, seconds=2))
                for symbol, bars in self.live.items()
                for bar in bars
            ),
        )

    def _daily(self, symbol: str, closes: Floats) -> None:
        stamps = self.sessions.opens[-DAYS:]
        opens = np.concatenate((closes[:1], closes[:-1])) * np.exp(
            self.random.normal(0, 0.003, DAYS)
        )
        self.daily[symbol] = list(self._bars(stamps, opens, closes, 0.006, 3.2e7))

    def _live(self, symbol: str) -> None:
        bars: list[Price] = []
        for start, day in zip(
            self.sessions.opens[-LIVE_SESSIONS:], self.daily[symbol][-LIVE_SESSIONS:], strict=True
        ):
            stamps = start + np.arange(BARS) * np.timedelta64(300, "s")
            bridge = np.cumsum(self.random.normal(0, 0.0012, BARS + 1))
            bridge -= np.linspace(bridge[0], bridge[-1], BARS + 1)
            path = np.linspace(np.log(day[1]), np.log(day[4]), BARS + 1) + bridge
            closes = np.exp(path)
            bars += self._bars(stamps, closes[:-1], closes[1:], 0.0008, 4.1e5)
        self.live[symbol] = [b for b in bars if b[0] + timedelta(minutes=5) <= self.now]

    def _bars(
        self, stamps: Timestamps, opens: Floats, closes: Floats, spread: float, volume: float
    ) -> Iterator[Price]:
        count = len(stamps)
        above, below = np.abs(self.random.normal(0, spread, (2, count)))
        highs = np.maximum(opens, closes) * (1 + above)
        lows = np.minimum(opens, closes) * (1 - below)
        volumes = volume * self.random.lognormal(0, 0.4, count)
        for i in range(count):
            numbers = (round(float(v), 2) for v in (opens[i], highs[i], lows[i], closes[i]))
            yield (to_datetime(stamps[i], UTC), *numbers, float(int(volumes[i])))  # type: ignore[misc]
