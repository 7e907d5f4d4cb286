"""From prices that a source adjusted for splits back to those that were traded.

A source that adjusts divides every price before a split by its ratio, and multiplies the volume, so
that what it says of an old bar changes with each later split. The splits are its own, so that what
it did is undone and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.instruments.actions import CorporateAction
from trading.instruments.clock import local_times

DIGITS, DECIMALS = 7, 4
"""Significant digits and decimals of a price in dollars. Prices travel in single precision, whose
error is below half of the seventh digit, so that undoing a split gives back what was traded."""

TELLING_RATIO = 1.4
"""Splits from this ratio on leave a jump that no ordinary day has, where they were not applied."""


def later_ratio(timestamps: Timestamps, splits: Sequence[CorporateAction]) -> Floats:
    """The product of the ratios of all splits after each bar's New York date, shape (n,)."""
    dates = local_times(timestamps).astype("datetime64[D]")
    factor = np.ones(len(dates))
    for split in splits:
        factor[dates < np.datetime64(split.ex_date)] *= split.value
    return factor


def traded_prices(prices: Floats, factor: Floats) -> Floats:
    """Adjusted prices as traded, in dollars, shape (n,)."""
    traded = prices * factor
    before_point = np.floor(np.log10(np.maximum(np.abs(traded), 1.0))) + 1.0
    scale = 10.0 ** np.minimum(DIGITS - before_point, DECIMALS)
    rounded: Floats = np.rint(traded * scale) / scale
    return rounded


def not_applied(
    split: CorporateAction, dates: npt.NDArray[np.datetime64], opens: Floats, closes: Floats
) -> bool:
    """Whether prices that should be adjusted for a split jump by its ratio on its day.

    Args:
        split: The split.
        dates: New York dates of adjusted daily bars, increasing, shape (n,).
        opens: Their first prices.
        closes: Their last prices.

    Returns:
        True when the jump from the last close before to the first open after is nearer to what the
        split does to unadjusted prices than to none. False where that cannot be told.
    """
    if max(split.value, 1.0 / split.value) < TELLING_RATIO:
        return False
    after = int(np.searchsorted(dates, np.datetime64(split.ex_date)))
    if not 0 < after < len(dates):
        return False
    jump = closes[after - 1] / opens[after]
    return bool(abs(np.log(jump) - np.log(split.value)) < abs(np.log(jump)))


def shares_before(splits: Sequence[CorporateAction], day: date) -> float:
    """The product of the ratios of all splits after a day."""
    return float(np.prod([split.value for split in splits if split.ex_date > day]))
