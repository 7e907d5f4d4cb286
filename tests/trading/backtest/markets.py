"""Bars and clocks for tests of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from trading.arrays import Floats
from trading.backtest.market import Clock, Market
from trading.bars.model import VALUES, Bars

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


def bars_of(
    symbol: str, clock: Clock, rows: Sequence[tuple[float, ...] | None]
) -> Bars:
    """Bars of the rows that are not None, each open, high, low, close, volume."""
    there = [i for i, row in enumerate(rows) if row is not None]
    table: Floats = np.full((len(there), len(VALUES)), np.nan)
    for line, i in enumerate(there):
        table[line, :5] = rows[i]
    stamps = clock.starts[there].view("datetime64[ns]")
    return Bars(symbol=symbol, timestamps=stamps, **dict(zip(VALUES, table.T, strict=True)))


def market_of(
    bars: dict[str, list[tuple[float, ...] | None]],
    clock: Clock,
    increment: Decimal = Decimal(1),
) -> Market:
    return Market.of(
        [bars_of(symbol, clock, rows) for symbol, rows in bars.items()],
        clock,
        dict.fromkeys(bars, increment),
    )
