"""Moving averages of the close, and what is built of them: EMA, SMA, MACD, Bollinger bands.

EMA and MACD are TA-Lib's. Averages over a window are NumPy's: TA-Lib keeps running sums, which
carry the rounding of what has left the window (after a price of 1e9 its mean of prices near 1e-6
is 30 % off).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.arrays import Floats
from trading.bars.model import Bars
from trading.indicators.indicator import Indicator, check_periods
from trading.indicators.library import talib


@dataclass(frozen=True, slots=True)
class EMA(Indicator):
    """Exponential moving average: the SMA of the first n closes, then e += 2/(n+1) (x - e)."""

    periods: int

    def __post_init__(self) -> None:
        check_periods(periods=self.periods)

    @property
    def names(self) -> tuple[str, ...]:
        """`ema_8` for 8 periods."""
        return (f"ema_{self.periods}",)

    @property
    def warm_up(self) -> int:
        """The first value is at the n-th bar."""
        return self.periods - 1

    def _of_present(self, bars: Bars) -> tuple[Floats, ...]:
        close = bars.close
        average = talib().EMA(close, self.periods)
        # The mean of n equal prices is that price; summed and divided it may be next to it,
        # and then the close of a series that never moved would lie below its average.
        average[self.warm_up : _first_move(close)] = close[0]
        return (average,)


@dataclass(frozen=True, slots=True)
class SMA(Indicator):
    """Simple moving average: the mean of the last n closes."""

    periods: int

    def __post_init__(self) -> None:
        check_periods(periods=self.periods)

    @property
    def names(self) -> tuple[str, ...]:
        """`sma_20` for 20 periods."""
        return (f"sma_{self.periods}",)

    @property
    def warm_up(self) -> int:
        """The first value is at the n-th bar."""
        return self.periods - 1

    def _of_present(self, bars: Bars) -> tuple[Floats, ...]:
        mean, _ = _window_moments(bars.close, self.periods)
        return (mean,)


@dataclass(frozen=True, slots=True)
class MACD(Indicator):
    """Fast less slow EMA, the EMA of that as its signal, and the difference of the two.

    Both EMAs begin at the slow one's first bar; the fast one is seeded by the closes up to there.
    """

    fast: int = 12
    slow: int = 26
    signal: int = 9

    def __post_init__(self) -> None:
        check_periods(fast=self.fast, slow=self.slow, signal=self.signal)
        if self.fast >= self.slow:
            raise ValueError(f"fast={self.fast} is not below slow={self.slow}")

    @property
    def names(self) -> tuple[str, ...]:
        """The line, its signal and the histogram."""
        return ("macd", "macd_signal", "macd_histogram")

    @property
    def warm_up(self) -> int:
        """All three begin where the signal does."""
        return self.slow + self.signal - 2

    def _of_present(self, bars: Bars) -> tuple[Floats, ...]:
        lines = talib().MACD(bars.close, self.fast, self.slow, self.signal)
        for line in lines:
            line[self.warm_up : _first_move(bars.close)] = 0.0
        return tuple(lines)


@dataclass(frozen=True, slots=True)
class Bollinger(Indicator):
    """Mean of the last n closes, and bands of a number of their deviations (ddof 0) around it."""

    periods: int = 20
    deviations: float = 2.0

    def __post_init__(self) -> None:
        check_periods(periods=self.periods)

    @property
    def names(self) -> tuple[str, ...]:
        """Upper band, mean and lower band."""
        return ("bollinger_upper", "bollinger_middle", "bollinger_lower")

    @property
    def warm_up(self) -> int:
        """The first value is at the n-th bar."""
        return self.periods - 1

    def _of_present(self, bars: Bars) -> tuple[Floats, ...]:
        mean, deviation = _window_moments(bars.close, self.periods)
        width = self.deviations * deviation
        return mean + width, mean, mean - width


def _first_move(close: Floats) -> int:
    """Position of the first close that is not the first one, n when there is none."""
    moved = np.flatnonzero(close != close[0])
    return int(moved[0]) if len(moved) else len(close)


def _window_moments(values: Floats, window: int) -> tuple[Floats, Floats]:
    """Mean and population standard deviation of the last `window` values, NaN before.

    Both are taken of the differences from the window's last value, in a fixed order over its own
    rows: equal values have exactly their mean and no deviation, and a large mean costs no digits.
    """
    ends = values[window - 1 :]
    shifted = [values[window - 1 - lag : len(values) - lag] for lag in range(1, window)]
    total, squares = np.zeros(len(ends)), np.zeros(len(ends))
    for earlier in shifted:
        total += earlier - ends
    mean = total / window
    for earlier in shifted:
        squares += (earlier - ends - mean) ** 2
    # The last value differs from itself by 0, and so from the mean by the mean.
    deviation = np.sqrt((squares + mean**2) / window)
    before = np.full(window - 1, np.nan)
    return np.append(before, ends + mean), np.append(before, deviation)
