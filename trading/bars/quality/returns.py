"""Checks of how prices move: frozen, split, or further than they otherwise do."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.bars.context import SPX, as_of
from trading.bars.quality.findings import (
    CheckResult,
    Dataset,
    Found,
    Status,
    conclude,
    disordered,
    not_checked,
    rows_found,
)
from trading.instruments.clock import bar_dates

MIN_RETURNS = 20
"""Returns below which a standard deviation says too little to call anything an outlier."""

SPLIT_RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0)
"""New shares for an old one, or the reverse, in the splits of large American companies."""

_NORMAL_MAD = 1.482602218505602
"""Standard deviations in a median absolute deviation of normal data: 1 / Phi^-1(3/4)."""

_NORMAL_MEAN_DEVIATION = math.sqrt(math.pi / 2)
"""Standard deviations in a mean absolute deviation of normal data."""


def stale_prices(data: Dataset) -> CheckResult:
    """WARN when closes stay the same for so many bars in a row that nobody seems to trade."""
    if data.prices is None:
        return not_checked("stale_prices")
    found = []
    for name, file, values in data.series():
        lengths = run_lengths(values)
        stale = lengths >= data.thresholds.stale_bars
        found.append(rows_found(file, name, stale, _run_detail(lengths)))
    limit = data.thresholds.stale_bars
    return conclude("stale_prices", found, Status.WARN, f"no close repeats in {limit} bars or more")


def unadjusted_splits(data: Dataset) -> CheckResult:
    """WARN when a price jumps overnight by the ratio of a split, as prices do that leave it in.

    What is left of the jump after the split has to lie within the S&P 500's move since the
    contract's price before, give or take the tolerance: on a day on which everything falls, a
    split does so as well. The S&P 500 itself is not looked at: a market that halves or doubles
    overnight is not known.
    """
    if data.prices is None:
        return not_checked("unadjusted_splits")
    stamps = data.prices.unchecked_timestamps()
    if disordered(stamps).any():
        return not_checked("unadjusted_splits")
    dates = bar_dates(stamps)
    index = _index_at(data, stamps)
    found = []
    for name in data.contracts:
        prices = data.prices.values(name, 0, data.prices.rows)
        ratios, moves = _overnight_ratios(prices, index, dates)
        nearest = _nearest_split(ratios, moves, data.thresholds.split_tolerance)
        found.append(rows_found(data.prices, name, ~np.isnan(nearest), _split_detail(nearest)))
    return conclude("unadjusted_splits", found, Status.WARN, "no jump looks like a split")


def outliers(data: Dataset) -> CheckResult:
    """WARN when a return lies too many standard deviations from its contract's mean.

    With ddof 1 the largest |z| that n values can have is (n - 1) / sqrt(n) (Shiffler 1988), so
    with few returns the check could never fire: that is INSUFFICIENT, not PASS.
    """
    limit = data.thresholds.z
    least = minimum_returns(limit)
    return _far_returns("outliers", data, _z_scores, limit=limit, symbol="z", least=least)


def robust_outliers(data: Dataset) -> CheckResult:
    """WARN when a return lies too far from its contract's median, in units of the MAD.

    The modified z-score of Iglewicz and Hoaglin (1993): outliers, that widen a standard
    deviation until they hide in it, do not move the median absolute deviation.
    """
    limit = data.thresholds.robust_z
    return _far_returns(
        "robust_outliers", data, robust_z_scores, limit=limit, symbol="robust z", least=MIN_RETURNS
    )


def minimum_returns(z_threshold: float) -> int:
    """The least n of which a z-score can exceed `z_threshold`, and at least `MIN_RETURNS`."""
    # (n - 1) / sqrt(n) > z  <=>  sqrt(n) > (z + sqrt(z^2 + 4)) / 2
    least = math.floor(((z_threshold + math.hypot(z_threshold, 2)) / 2) ** 2) + 1
    return max(MIN_RETURNS, least)


def run_lengths(values: Floats) -> npt.NDArray[np.int64]:
    """At the last row of each run of equal values its length, 0 elsewhere, shape (n,).

    A missing value, which equals nothing, is a run by itself.
    """
    last = np.append(values[1:] != values[:-1], True)[: len(values)]
    ends = np.flatnonzero(last)
    lengths = np.zeros(len(values), np.int64)
    lengths[ends] = np.diff(ends, prepend=-1)
    return lengths


def robust_z_scores(returns: Floats) -> Floats:
    """Distances from the median in standard deviations as the MAD estimates them, shape (n,).

    Where more than half of the returns are equal the MAD is 0, and the mean absolute deviation
    takes its place; where all are, every distance is 0.

    Args:
        returns: NaN where missing, and one known value or more.
    """
    known = returns[~np.isnan(returns)]
    centre = np.median(known)
    distances = np.abs(known - centre)
    scale = _NORMAL_MAD * np.median(distances) or _NORMAL_MEAN_DEVIATION * distances.mean()
    scores: Floats = (returns - centre) / (scale or 1.0)
    return scores


def _far_returns(
    check: str,
    data: Dataset,
    scores: Callable[[Floats], Floats],
    *,
    limit: float,
    symbol: str,
    least: int,
) -> CheckResult:
    """WARN with the returns whose score exceeds the limit; INSUFFICIENT of fewer than `least`."""
    if data.prices is None or not data.contracts:
        return not_checked(check)
    found: list[Found] = []
    short = 0
    for name in data.contracts:
        returns = _returns(data.prices.values(name, 0, data.prices.rows))
        if np.count_nonzero(~np.isnan(returns)) < least:
            short += 1
            continue
        far = np.abs(scores(returns)) > limit
        found.append(rows_found(data.prices, name, far, f"|{symbol}| exceeds {limit:g}"))
    result = conclude(check, found, Status.WARN, f"no |{symbol}| exceeds {limit:g}")
    if result.count or not short:
        return result
    share = f"{short} of {len(data.contracts)} contracts"
    message = f"{share} have fewer than {least} returns, too few to tell an outlier."
    return CheckResult(check, Status.INSUFFICIENT, message)


def _returns(prices: Floats) -> Floats:
    """Returns over the row before, as fractions, NaN where there is none, shape (n,)."""
    returns = np.full(len(prices), np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        returns[1:] = prices[1:] / prices[:-1] - 1
    returns[np.isinf(returns)] = np.nan
    return returns


def _z_scores(returns: Floats) -> Floats:
    """Distances from the mean in standard deviations (ddof 1), shape (n,)."""
    known = returns[~np.isnan(returns)]
    deviation = known.std(ddof=1)
    return np.zeros(len(returns)) if deviation == 0 else (returns - known.mean()) / deviation


def _index_at(data: Dataset, stamps: Timestamps) -> Floats:
    """The S&P 500 at each bar, NaN where it is not known, shape (n,)."""
    if data.spx is None or disordered(data.spx.unchecked_timestamps()).any():
        return np.full(len(stamps), np.nan)
    values = data.spx.values(SPX, 0, data.spx.rows)
    index = as_of(stamps, data.spx.unchecked_timestamps(), values, np.timedelta64(0, "ns"))
    return np.where((index > 0) & np.isfinite(index), index, np.nan)


def _overnight_ratios(
    prices: Floats, index: Floats, dates: npt.NDArray[np.datetime64]
) -> tuple[Floats, Floats]:
    """Each price over the last known one, and the index's move since, as a fraction, shape (n,).

    Ratios are NaN but where the last known price is of an earlier date; moves 0 where unknown.
    """
    ratios, moves = np.full(len(prices), np.nan), np.zeros(len(prices))
    known = np.flatnonzero((prices > 0) & np.isfinite(prices))
    later, earlier = known[1:], known[:-1]
    overnight = dates[later] != dates[earlier]
    later, earlier = later[overnight], earlier[overnight]
    ratios[later] = prices[later] / prices[earlier]
    moves[later] = np.nan_to_num(index[later] / index[earlier] - 1, nan=0.0)
    return ratios, moves


def _nearest_split(ratios: Floats, moves: Floats, tolerance: float) -> Floats:
    """The split that explains each ratio but for the market's move and `tolerance`, else NaN.

    Positive of new shares for an old one, negative of the reverse.
    """
    nearest, distance = np.full(len(ratios), np.nan), np.full(len(ratios), np.inf)
    low, high = np.minimum(moves, 0) - tolerance, np.maximum(moves, 0) + tolerance
    for split in SPLIT_RATIOS:
        for factor, signed in ((split, split), (1 / split, -split)):
            left = ratios * factor - 1
            nearer = (left >= low) & (left <= high) & (np.abs(left) < distance)
            nearest[nearer], distance[nearer] = signed, np.abs(left[nearer])
    return nearest


def _split_detail(nearest: Floats) -> Callable[[int], str]:
    def detail(row: int) -> str:
        split = float(nearest[row])
        shares = f"{split:g} for 1" if split > 0 else f"1 for {-split:g}"
        return f"it jumps overnight like an unadjusted split {shares}"

    return detail


def _run_detail(lengths: npt.NDArray[np.int64]) -> Callable[[int], str]:
    return lambda row: f"it is the last of {lengths[row]} equal closes in a row"
