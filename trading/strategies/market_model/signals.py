"""The analysis of a contract's bars: the one definition of every number per bar.

A whole series is analysed at once; what a partition holds is a slice of that. Every output
depends on data at or before its own bar only, and needs no more than the `lookback_bars` rows
before it, so that a partition that reads just those gets the same bits as the whole history.

A price, VIX or SPX that is not positive and finite is treated as missing: nothing is derived from
it, and the columns `price`, `vix` and `spx` still show what the data say.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.indicators.rolling import RollingRegression
from trading.strategies.market_model.inputs import ContractBars
from trading.strategies.market_model.parameters import StrategyParameters

ANALYSIS_VERSION = "1"
"""Part of every fingerprint: raised when the same inputs give other numbers than before."""

CONTRACTS_AT_ONCE, ROWS_AT_ONCE = 32, 512
"""Block of a row-major price matrix that is turned at once: small enough for the cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """The analysis of a run of bars of one contract; arrays of shape (n,), NaN where null.

    Attributes:
        timestamps: Bar starts, UTC.
        price: Close prices in dollars, as in the data.
        price_change_pct: `100 * (p[t] / p[t-1] - 1)` over the row before.
        vix: VIX in index points, as in the data.
        spx: S&P 500 in index points, as in the data.
        spx_change_pct: The S&P 500's `price_change_pct`.
        beta: Least-squares slope of the contract's on the S&P 500's changes over the last
            `beta_window` rows, pairwise complete; null with fewer than `beta_min_periods` pairs or
            when the S&P 500's changes do not vary.
        correlation: Pearson's r over the same pairs; null also when the contract's do not vary.
        buy_threshold: `base_threshold_pct * vix / vix_baseline`, in per cent.
        sell_threshold: Its negative.
        signal: int8: BUY above the buy threshold, SELL below the sell threshold, else HOLD.
    """

    timestamps: Timestamps
    price: Floats
    price_change_pct: Floats
    vix: Floats
    spx: Floats
    spx_change_pct: Floats
    beta: Floats
    correlation: Floats
    buy_threshold: Floats
    sell_threshold: Floats
    signal: npt.NDArray[np.int8]

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.timestamps)

    def __getitem__(self, rows: slice) -> Analysis:
        """The analysis of the bars at the given positions, as views."""
        return Analysis(*(getattr(self, field.name)[rows] for field in fields(self)))


def lookback_bars(strategy: StrategyParameters) -> int:
    """How many rows before the first wanted one make its analysis that of the whole series.

    The `beta_window` returns that end at t come from the prices t - beta_window to t.
    """
    return strategy.beta_window


def analyze(bars: ContractBars, strategy: StrategyParameters) -> Analysis:
    """Analyse one contract's bars.

    Args:
        bars: Consecutive bars. To get rows of a longer series right, include the
            `lookback_bars(strategy)` rows before them (fewer only where the series begins).
        strategy: Window, minimum of pairs and thresholds.

    Returns:
        The analysis of all the given bars, those of the lookback included.

    Raises:
        ValueError: The arrays differ in length.
    """
    market = _Market(bars.timestamps, bars.vix, bars.spx, strategy)
    return market.analyze(bars.price, bars.price)


def analyze_panel(
    timestamps: Timestamps,
    prices: npt.NDArray[np.float64],
    vix: Floats,
    spx: Floats,
    strategy: StrategyParameters,
) -> Iterator[Analysis]:
    """Analyse many contracts that share their bars, and with them the market's side of the work.

    Results come one by one, so memory stays at a few contracts' worth when the caller does not
    keep them. All results share `timestamps`, `vix`, `spx`, `spx_change_pct`
    and the thresholds.

    Args:
        timestamps: Bar starts, UTC, strictly increasing, shape (n,).
        prices: Close prices in dollars, shape (n, k), NaN where missing; fastest when each
            contract's column is contiguous.
        vix: VIX as of each bar, shape (n,).
        spx: S&P 500 at each bar, shape (n,).
        strategy: Window, minimum of pairs and thresholds.

    Yields:
        What `analyze` returns for each column, in order and to the bit.

    Raises:
        ValueError: The arrays differ in length.
    """
    market = _Market(timestamps, vix, spx, strategy)
    for start in range(0, prices.shape[1], CONTRACTS_AT_ONCE):
        columns = prices[:, start : start + CONTRACTS_AT_ONCE]
        for position, price in enumerate(_contiguous(columns)):
            yield market.analyze(columns[:, position], price)


def _contiguous(columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The columns as contiguous rows, shape (k, n); a view when they are so already."""
    rows = columns.T
    if rows.flags.c_contiguous:
        return rows
    copied = np.empty(rows.shape)
    for start in range(0, rows.shape[1], ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        copied[:, part] = rows[:, part]
    return copied


class _Market:
    """What the analyses of all contracts at the same bars share."""

    def __init__(
        self, timestamps: Timestamps, vix: Floats, spx: Floats, strategy: StrategyParameters
    ) -> None:
        if not len(timestamps) == len(vix) == len(spx):
            raise ValueError(
                f"{len(timestamps)} timestamps, {len(vix)} VIX and {len(spx)} SPX values"
            )
        self._timestamps, self._vix, self._spx = timestamps, vix, spx
        self._spx_change = percent_change(spx)
        known_vix = np.where((vix > 0) & (vix < np.inf), vix, np.nan)
        self._buy = strategy.base_threshold_pct * known_vix / strategy.vix_baseline
        self._sell = -self._buy
        self._regression = RollingRegression(
            self._spx_change, strategy.beta_window, strategy.beta_min_periods
        )

    def analyze(self, shown: Floats, price: Floats) -> Analysis:
        """Analyse `price`; `shown` holds the same prices in the caller's memory."""
        if len(price) != len(self._timestamps):
            raise ValueError(f"{len(price)} prices for {len(self._timestamps)} timestamps")
        change = percent_change(price)
        # A comparison with NaN is false, so a missing input makes no signal.
        signal = (change > self._buy).view(np.int8) - (change < self._sell).view(np.int8)
        beta, correlation = self._regression.on(change)
        return Analysis(
            timestamps=self._timestamps,
            price=shown,
            price_change_pct=change,
            vix=self._vix,
            spx=self._spx,
            spx_change_pct=self._spx_change,
            beta=beta,
            correlation=correlation,
            buy_threshold=self._buy,
            sell_threshold=self._sell,
            signal=signal,
        )


def percent_change(price: Floats) -> Floats:
    """`100 * (p[t] / p[t-1] - 1)`, shape (n,).

    NaN at the first row, where either price is not positive and finite, and where the ratio is
    too large for a float64.
    """
    change = _ratio_change(price)
    if len(price) < 2:  # noqa: PLR2004 - a change takes two prices
        return change
    # Of what is not missing the least and the largest are looked at: most series need no more.
    if (
        np.fmin.reduce(price) > 0
        and np.fmax.reduce(price) < np.inf
        and np.fmax.reduce(change) < np.inf
    ):
        return change
    change = _ratio_change(np.where((price > 0) & (price < np.inf), price, np.nan))
    change[np.isinf(change)] = np.nan
    return change


def _ratio_change(price: Floats) -> Floats:
    """`percent_change` of prices of any sign and size."""
    change = np.empty(len(price))
    change[:1] = np.nan
    inner = change[1:]
    with np.errstate(all="ignore"):
        np.divide(price[1:], price[:-1], out=inner)
        inner -= 1.0
        inner *= 100.0
    return change
