"""How strongly prices move: RSI and ATR, both with Wilder's smoothing, both TA-Lib's.

J. Welles Wilder, "New Concepts in Technical Trading Systems", 1978.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trading.arrays import Floats
from trading.bars.model import Bars
from trading.indicators.indicator import Indicator, check_periods
from trading.indicators.library import talib


@dataclass(frozen=True, slots=True)
class RSI(Indicator):
    """Relative strength index: 100 * gains / (gains + losses), of their smoothed averages.

    Null where both averages are 0, because nothing has moved yet; TA-Lib says 0 there.
    """

    periods: int = 14

    def __post_init__(self) -> None:
        check_periods(periods=self.periods)

    @property
    def names(self) -> tuple[str, ...]:
        """`rsi_14` for 14 periods."""
        return (f"rsi_{self.periods}",)

    @property
    def warm_up(self) -> int:
        """The first value takes n changes."""
        return self.periods

    def _of_present(self, bars: Bars) -> tuple[Floats, ...]:
        strength = talib().RSI(bars.close, self.periods)
        # An average that was above 0 once never gets back to it, so 0 is right after a loss alone.
        change = np.diff(bars.close, prepend=bars.close[:1])
        fell = np.logical_or.accumulate(change < 0)
        rose = np.logical_or.accumulate(change > 0)
        strength[(strength == 0) & (rose | ~fell)] = np.nan
        return (strength,)


@dataclass(frozen=True, slots=True)
class ATR(Indicator):
    """Average true range: max(h - l, |h - c'|, |l - c'|), smoothed; c' is the close before."""

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close")

    periods: int = 14

    def __post_init__(self) -> None:
        check_periods(periods=self.periods)

    @property
    def names(self) -> tuple[str, ...]:
        """`atr_14` for 14 periods."""
        return (f"atr_{self.periods}",)

    @property
    def warm_up(self) -> int:
        """The first value takes n closes before."""
        return self.periods

    def _of_present(self, bars: Bars) -> tuple[Floats, ...]:
        return (talib().ATR(bars.high, bars.low, bars.close, self.periods),)
