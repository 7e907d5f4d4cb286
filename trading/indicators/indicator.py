"""What an indicator is: numbers at each bar, from it and the bars before it.

A missing bar is left out before anything is computed: one NaN inside it makes TA-Lib's EMA null
for good and its RSI 0, which reads as oversold. So the bar before a missing one is the previous
bar of the one after it, and at the missing bar itself every indicator is null.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats
from trading.bars.model import Bars

MIN_PERIODS = 2
"""Fewest bars that an average is taken over."""


class Indicator(ABC):
    """One indicator with its periods.

    Attributes:
        inputs: The fields of a bar that it needs; a bar without one of them is missing.
    """

    inputs: ClassVar[tuple[str, ...]] = ("close",)

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """What its series are called, in the order in which `of` gives them."""

    @property
    @abstractmethod
    def warm_up(self) -> int:
        """How many bars there are before the first value."""

    @abstractmethod
    def _of_present(self, bars: Bars) -> tuple[Floats, ...]:
        """The series of bars that have all inputs, at least `warm_up + 1` of them."""

    def of(self, bars: Bars) -> tuple[Floats, ...]:
        """Its series, one per name, shape (n,), NaN where null.

        Args:
            bars: All bars from the first that there is: recursions start there, so a value
                depends on where a series begins.
        """
        present = has_all(bars, self.inputs)
        if np.count_nonzero(present) <= self.warm_up:
            return tuple(np.full(len(bars), np.nan) for _ in self.names)
        if present.all():
            return self._of_present(bars)
        return tuple(spread(series, present) for series in self._of_present(bars[present]))

    def columns(self, bars: Bars) -> dict[str, Floats]:
        """Its series by name."""
        return dict(zip(self.names, self.of(bars), strict=True))


def has_all(bars: Bars, inputs: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """Where a bar has a finite value in every given field, shape (n,)."""
    first, *others = inputs
    present: npt.NDArray[np.bool_] = np.isfinite(getattr(bars, first))
    for name in others:
        present &= np.isfinite(getattr(bars, name))
    return present


def spread(values: Floats, present: npt.NDArray[np.bool_]) -> Floats:
    """Values of the present bars at their places among all bars, NaN at the others."""
    spread_out = np.full(len(present), np.nan)
    spread_out[present] = values
    return spread_out


def check_periods(**periods: int) -> None:
    """Refuse a period below two bars.

    Raises:
        ValueError: One is.
    """
    for name, count in periods.items():
        if count < MIN_PERIODS:
            raise ValueError(f"{name}={count} is not at least {MIN_PERIODS} bars")
