"""Bars and clocks for tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from trading.arrays import Floats
from trading.backtest.market import Clock, Market
from trading.backtest.source import Desk, Request
from trading.bars.model import VALUES, Bars

Row = tuple[float, ...]
"""Open, high, low, close, volume."""

HOUR = 3_600_000_000_000
START = int(np.datetime64("2024-01-02T14:30", "ns").astype(np.int64))


def clock_of(count: int, per_session: int = 7) -> Clock:
    """Hourly rows, `per_session` of them in a row, a night after each session."""
    rows = np.arange(count)
    starts = START + rows // per_session * 24 * HOUR + rows % per_session * HOUR
    sessions = rows // per_session
    closes = START + np.arange(count + 2) * 24 * HOUR + per_session * HOUR
    ends = starts + HOUR
    until = closes[np.searchsorted(closes, ends, side="right")]
    return Clock(starts, ends, sessions, until)


def bars_of(symbol: str, clock: Clock, rows: Sequence[Row | None]) -> Bars:
    """Bars of the rows that are not None, each open, high, low, close, volume."""
    there = [i for i, row in enumerate(rows) if row is not None]
    table: Floats = np.full((len(there), len(VALUES)), np.nan)
    for line, i in enumerate(there):
        table[line, :5] = rows[i]
    stamps = clock.starts[there].view("datetime64[ns]")
    return Bars(symbol=symbol, timestamps=stamps, **dict(zip(VALUES, table.T, strict=True)))


def market_of(
    bars: dict[str, list[Row | None]],
    clock: Clock,
    increment: Decimal = Decimal(1),
) -> Market:
    return Market.of(
        [bars_of(symbol, clock, rows) for symbol, rows in bars.items()],
        clock,
        dict.fromkeys(bars, increment),
    )


class Listed:
    """A source of orders that were written down before."""

    def __init__(self, requests: dict[int, list[Request]]) -> None:
        self._requests = requests

    def rows(self) -> set[int]:
        return set(self._requests)

    def requests(self, row: int, desk: Desk) -> list[Request]:
        del desk
        return self._requests[row]
