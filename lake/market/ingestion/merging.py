"""Merging fetched closes into stored ones: no bar twice, none lost, restated ones counted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adapters.market_data.protocol import ClosePrices
from trading.arrays import Floats, Timestamps

SAME_PRICE = 1e-6
"""Relative difference up to which two prices are one: sources send single precision (6e-8)."""

SAME_RATIO = 1e-3
"""Spread of the ratios new/old up to which a restatement is one factor: prices are rounded to
cents, so after a split the ratios of its bars differ a little."""


@dataclass(frozen=True, slots=True, eq=False)
class Merged:
    """The outcome of a merge.

    Attributes:
        prices: Stored and fetched bars, the fetched value where both have one.
        new: How many bars were not stored before.
        restated: How many stored bars have another value now.
    """

    prices: ClosePrices
    new: int
    restated: int


def price_ratios(stored: ClosePrices, fetched: ClosePrices) -> Floats:
    """Fetched price over stored, for each bar that both have; exactly 1 where they agree."""
    _, old, new = np.intersect1d(
        stored.timestamps, fetched.timestamps, assume_unique=True, return_indices=True
    )
    ratios: Floats = fetched.close[new] / stored.close[old]
    return np.where(np.abs(ratios - 1) > SAME_PRICE, ratios, 1.0)


def merged(stored: ClosePrices, fetched: ClosePrices) -> Merged:
    """`fetched` over `stored`; both sorted with each timestamp once."""
    kept = stored[~np.isin(stored.timestamps, fetched.timestamps)]
    timestamps = np.concatenate((kept.timestamps, fetched.timestamps))
    order = np.argsort(timestamps, kind="stable")
    prices = ClosePrices(timestamps[order], np.concatenate((kept.close, fetched.close))[order])
    restated = int(np.count_nonzero(price_ratios(stored, fetched) != 1))
    return Merged(prices, len(prices) - len(stored), restated)


def common_factor(ratios: Floats) -> float:
    """The factor by which a restatement multiplied all bars, 1 when there is no such one.

    A split or a dividend multiplies the whole history before it; ratios that disagree are
    corrections of single bars. From one bar the two cannot be told apart.
    """
    if len(ratios) < 2 or np.ptp(ratios) > SAME_RATIO * np.median(ratios):  # noqa: PLR2004
        return 1.0
    return float(np.median(ratios))


def aligned(prices: ClosePrices, timestamps: Timestamps) -> Floats:
    """Closes at `timestamps`, NaN where there is none; `prices` has no others."""
    column = np.full(len(timestamps), np.nan)
    column[np.searchsorted(timestamps, prices.timestamps)] = prices.close
    return column
