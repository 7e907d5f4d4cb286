"""Series beside an instrument's own bars: the volatility index and the market index.

A context series has values of its own pace; `as_of` brings it to the instrument's bars.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel

from trading.arrays import Floats, Timestamps

VIX, SPX = "VIX", "SPX"
"""What the files call the volatility index and the S&P 500."""

NEWS = "NEWS"
"""The series of an instrument's news scores, see `trading.news.score`."""

CONTEXT_HOURS = 24.0
"""How old a series beside the bars may be, where a strategy's parameters do not say."""


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
