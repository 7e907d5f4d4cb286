"""What a portfolio is compared with: the S&P 500, bought at the first bar and held."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.arrays import Floats
from trading.portfolio.performance import compounded, drawdowns, sharpe
from trading.portfolio.positions import Trades


@dataclass(frozen=True, slots=True, eq=False)
class BuyAndHold:
    """The S&P 500 over a portfolio's bars, without costs.

    Like the portfolio's, its return of bar t is that from t to the next bar with a value, booked
    at t; a bar without a value, and the last one, earn 0.

    Attributes:
        total_pnl_pct: From the first to the last value, in per cent.
        sharpe: As the portfolio's; None where it is not defined.
        max_drawdown_pct: As the portfolio's.
        win_rate: Share of the bars after which it rose, of those with a return; None without any.
        equity: Starting from 1, shape (t,).
    """

    total_pnl_pct: float
    sharpe: float | None
    max_drawdown_pct: float
    win_rate: float | None
    equity: Floats


def buy_and_hold(spx: Floats, bars_per_year: float | None) -> BuyAndHold | None:
    """Buy and hold the index.

    Args:
        spx: Index points at each bar, shape (t,), NaN where missing.
        bars_per_year: Annualises the Sharpe ratio; None for none.

    Returns:
        What that came to, or None with fewer than two values.
    """
    known = np.flatnonzero(np.isfinite(spx) & (spx > 0))
    if len(known) < 2:  # noqa: PLR2004 - a return takes two values
        return None
    earned = spx[known[1:]] / spx[known[:-1]] - 1.0
    returns = np.zeros(len(spx))
    returns[known[:-1]] = earned
    equity = compounded(returns)
    return BuyAndHold(
        total_pnl_pct=float(100.0 * (equity[-1] - 1.0)),
        sharpe=sharpe(returns, bars_per_year),
        max_drawdown_pct=float(100.0 * drawdowns(equity).min()),
        win_rate=float((earned > 0).mean()),
        equity=equity,
    )


@dataclass(frozen=True, slots=True, eq=False)
class MarketModel:
    """Contracts' returns regressed on the S&P 500's over the whole history; arrays of shape (k,).

    Attributes:
        pairs: Bars with both returns.
        beta: Least-squares slope; NaN with fewer than two pairs or where the index does not vary.
        standard_error: Of beta, `sqrt(SSE / (pairs - 2) / Sxx)` (Draper and Smith, "Applied
            Regression Analysis", 3rd ed. 1998, section 1.4), which supposes independent errors of
            one variance; NaN with fewer than three pairs.
        correlation: Pearson's r of the same pairs; NaN where either does not vary.
    """

    pairs: Floats
    beta: Floats
    standard_error: Floats
    correlation: Floats


def market_model(trades: Trades, spx: Floats) -> MarketModel:
    """Regress every contract's bar returns on the S&P 500's between the same two bars.

    Args:
        trades: The portfolio's rows.
        spx: The index at each of `trades.timestamps`, shape (t,), NaN where missing.
    """
    contracts = len(trades.contracts)
    spx = np.where(np.isfinite(spx) & (spx > 0), spx, np.nan)
    y = trades.next_return
    x = spx[trades.next_bar] / spx[trades.bar] - 1.0
    both = np.isfinite(x) & np.isfinite(y)
    group, x, y = trades.contract[both], x[both], y[both]
    count = np.bincount(group, minlength=contracts).astype(np.float64)

    def total(values: Floats) -> Floats:
        return np.bincount(group, values, contracts).astype(np.float64, copy=False)

    with np.errstate(invalid="ignore", divide="ignore"):
        # Deviations from the means first: sums of squares of small returns would cancel.
        x, y = x - (total(x) / count)[group], y - (total(y) / count)[group]
        sxx, syy, sxy = total(x * x), total(y * y), total(x * y)
        beta = np.where((count > 1) & (sxx > 0), sxy / sxx, np.nan)
        unexplained = total((y - beta[group] * x) ** 2)
        degrees = np.where(count > 2, count - 2, np.nan)  # noqa: PLR2004 - two parameters
        standard_error = np.sqrt(unexplained / degrees / sxx)
        correlation = np.where((sxx > 0) & (syy > 0), sxy / np.sqrt(sxx * syy), np.nan)
    return MarketModel(count, beta, standard_error, correlation)
