"""Series beside an instrument's own bars: the volatility index, the market index, its news.

A context series has values of its own pace; `as_of` brings it to the instrument's bars, and
`trading.news.series` does so for news.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from pydantic import BaseModel

from trading.arrays import Floats, Timestamps

VIX, SPX = "VIX", "SPX"
"""What the files call the volatility index and the S&P 500."""

NEWS = "NEWS"
"""The series of an instrument's own news scores, see `trading.news.series`: NaN without news."""

CONTEXT_HOURS = 24.0
"""How old a series beside the bars may be, where a strategy's parameters do not say."""


class ContextSeries(Protocol):
    """What is known beside the bars, each value from a moment on."""

    @property
    def known_at(self) -> Timestamps:
        """When each value became known, UTC, in order, shape (m,)."""

    @property
    def values(self) -> Floats:
        """The values, shape (m,)."""

    def at(self, name: str, moments: Timestamps, parameters: BaseModel) -> Floats:
        """What it says as of each moment, shape (n,), NaN where it says nothing.

        Args:
            name: What the strategy calls the series.
            moments: When each bar's signal is decided, UTC, shape (n,).
            parameters: The strategy's, which may say how old a value may be.
        """


def tolerance(name: str, parameters: BaseModel) -> np.timedelta64:
    """How old the last value of a series may be to count for a bar.

    Args:
        name: The series; of the market index, only a value of the same moment counts, since two
            bars that are compared must end together.
        parameters: The strategy's; its `vix_tolerance_hours`, for instance, is that of the VIX.
    """
    hours = getattr(parameters, f"{name.lower()}_tolerance_hours", CONTEXT_HOURS)
    return np.timedelta64(0 if name == SPX else round(hours * 3_600), "s")


def as_of(
    stamps: Timestamps, known_at: Timestamps, known: Floats, tolerance: np.timedelta64
) -> Floats:
    """The last value known at or before each stamp, NaN where it is older than `tolerance`.

    Args:
        stamps: When values are wanted, shape (n,).
        known_at: When values became known, strictly increasing, shape (m,).
        known: The values, shape (m,).
        tolerance: The greatest age that counts; zero asks for equal timestamps.
    """
    if not len(known_at):
        return np.full(len(stamps), np.nan)
    latest = np.searchsorted(known_at, stamps, side="right") - 1
    fresh = (latest >= 0) & (stamps - known_at[latest] <= tolerance)
    return np.where(fresh, known[latest], np.nan)
