"""Random bars for indicators and strategies."""

from __future__ import annotations

from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.bars.model import Bars
from trading.bars.resampling.grid import session_grid
from trading.instruments.calendar import sessions


@cache
def five_minutes() -> Timestamps:
    """Starts of five-minute bars over three months."""
    return session_grid(sessions(date(2024, 10, 1), date(2024, 12, 31)), 5).starts


def random_bars(
    seed: int, count: int, gaps: float = 0.0, scale: float = 100.0, volatility: float = 0.004
) -> Bars:
    """A random walk with a share of bars that lack one of their prices, or all of them."""
    random = np.random.default_rng(seed)
    close = scale * np.exp(np.cumsum(random.normal(0, volatility, count)))
    begin = np.append(close[:1], close[:-1]) * np.exp(random.normal(0, volatility / 3, count))
    bars = of_closes(close, begin, np.abs(random.normal(0, volatility / 2, count)), seed)
    for name in ("open", "high", "low", "close"):
        getattr(bars, name)[random.random(count) < gaps / 4] = np.nan
    return bars


def of_closes(
    close: npt.ArrayLike,
    begin: npt.ArrayLike | None = None,
    spread: Floats | float = 0.0,
    seed: int = 0,
) -> Bars:
    """Bars with the given closes; they open at the close before unless it is said."""
    ends = np.array(close, np.float64)
    starts = np.append(ends[:1], ends[:-1]) if begin is None else np.array(begin, np.float64)
    volume = np.random.default_rng(seed).gamma(2.0, 500.0, len(ends))
    return Bars(
        symbol="AAPL",
        timestamps=five_minutes()[: len(ends)],
        open=starts,
        high=np.maximum(starts, ends) * (1 + spread),
        low=np.minimum(starts, ends) * (1 - spread),
        close=ends,
        volume=volume,
        vwap=(starts + ends) / 2,
        trades=np.ceil(volume / 70),
    )


def present(bars: Bars) -> npt.NDArray[np.bool_]:
    """Where a bar has all four prices."""
    return np.isfinite(bars.open + bars.high + bars.low + bars.close)
