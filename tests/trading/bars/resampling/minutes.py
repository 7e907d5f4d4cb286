"""Random minutes of a symbol, with gaps and with rows outside the sessions."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from trading.arrays import Timestamps
from trading.bars.model import VALUES, Bars
from trading.bars.resampling.grid import session_grid
from trading.bars.resampling.model import ResampledBars
from trading.instruments.calendar import Sessions


def random_minutes(seed: int, within: Sessions, kept: float = 0.9) -> Bars:
    """A share of the sessions' minutes."""
    stamps = session_grid(within, 1).starts
    random = np.random.default_rng(seed)
    return random_bars(seed, stamps[random.random(len(stamps)) < kept])


def random_bars(seed: int, stamps: Timestamps) -> Bars:
    """Random bars at the given times; some have no volume, and the volumes are fractional."""
    random, n = np.random.default_rng(seed), len(stamps)
    close = 100 * np.exp(np.cumsum(random.normal(0, 4e-4, n)))
    start = close * np.exp(random.normal(0, 2e-4, n))
    volume = random.gamma(2.0, 500.0, n) * (random.random(n) < 0.9)
    low = np.minimum(start, close) * (1 - random.random(n) * 1e-3)
    high = np.maximum(start, close) * (1 + random.random(n) * 1e-3)
    return Bars(
        symbol="AAPL",
        timestamps=stamps,
        open=start,
        high=high,
        low=low,
        close=close,
        volume=volume,
        vwap=np.where(volume > 0, low + random.random(n) * (high - low), np.nan),
        trades=np.ceil(volume / 70),
    )


def assert_same_bits(one: ResampledBars, other: ResampledBars) -> None:
    """Whether two results are equal to the bit."""
    for name in ("timestamps", *VALUES):
        assert getattr(one.bars, name).tobytes() == getattr(other.bars, name).tobytes(), name
    for field in fields(one):
        if field.name != "bars":
            left, right = getattr(one, field.name), getattr(other, field.name)
            assert left.dtype == right.dtype
            assert left.tobytes() == right.tobytes(), field.name
