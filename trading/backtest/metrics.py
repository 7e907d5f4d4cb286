"""What a backtest earned and at what risk, by the definitions of `empyrical`.

A number that the returns do not define is NaN, never 0 or 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trading.arrays import Floats
from trading.backtest.result import Course
from trading.portfolio.performance import NO_SPREAD

TAIL = 0.05
"""Share of the returns that value at risk and the tail ratio look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """One backtest in numbers. Rates are fractions of 1, per bar unless said.

    Attributes:
        total_return: Compounded return of the whole.
        cagr: Compound growth per year.
        volatility: Standard deviation (ddof 1) of the returns per year.
        sharpe: Mean over standard deviation (ddof 1), per year; the risk-free rate is 0.
        sortino: Mean over downside deviation sqrt(mean(min(r, 0)^2)), per year.
        max_drawdown: Deepest fall from a peak before it, at most 0; the start is a peak.
        max_drawdown_bars: Bars from that peak until it was reached again, or to the end.
        calmar: `cagr` over the size of `max_drawdown`.
        value_at_risk: The 5 % quantile of the returns.
        conditional_value_at_risk: Mean of the returns up to that quantile.
        omega: Sum of the gains over the sum of the losses.
        tail_ratio: Size of the 95 % quantile over that of the 5 % quantile.
        exposure: Share of bars at whose close a position is open.
        turnover: Mean share of the equity traded in a bar, one way: half of what is bought and
            sold (Grinold and Kahn, "Active Portfolio Management", 2nd ed. 2000, ch. 16).
        trades: Positions that ended.
        win_rate: Share of them that earned something after fees.
        profit_factor: What winners earned over what losers lost.
        expectancy: Mean of what they earned, in dollars.
    """

    total_return: float
    cagr: float
    volatility: float
    sharpe: float
    sortino: float
    max_drawdown: float
    max_drawdown_bars: int
    calmar: float
    value_at_risk: float
    conditional_value_at_risk: float
    omega: float
    tail_ratio: float
    exposure: float
    turnover: float
    trades: int
    win_rate: float
    profit_factor: float
    expectancy: float


def metrics(course: Course, bars_per_year: float) -> Metrics:
    """All metrics of an account, or of a stretch of it.

    Args:
        course: How it went.
        bars_per_year: How many bars a year has, see `trading.instruments.calendar`.
    """
    returns = course.returns
    worst, bars = max_drawdown(returns)
    growth = cagr(returns, bars_per_year)
    pnl, before = course.pnl, course.before
    traded = course.traded[before > 0] / before[before > 0]
    gains, losses = float(pnl[pnl > 0].sum()), float(-pnl[pnl < 0].sum())
    return Metrics(
        total_return=float(np.prod(1.0 + returns) - 1.0),
        cagr=growth,
        volatility=volatility(returns, bars_per_year),
        sharpe=sharpe_ratio(returns) * math.sqrt(bars_per_year),
        sortino=sortino(returns, bars_per_year),
        max_drawdown=worst,
        max_drawdown_bars=bars,
        calmar=_ratio(growth, -worst),
        value_at_risk=value_at_risk(returns),
        conditional_value_at_risk=conditional_value_at_risk(returns),
        omega=omega(returns),
        tail_ratio=tail_ratio(returns),
        exposure=_mean(course.invested.astype(np.float64)),
        turnover=_mean(traded) / 2,
        trades=len(pnl),
        win_rate=_mean((pnl > 0).astype(np.float64)),
        profit_factor=_ratio(gains, losses),
        expectancy=_mean(pnl),
    )


def sharpe_ratio(returns: Floats) -> float:
    """Mean over standard deviation (ddof 1) of a bar's return, not annualised.

    NaN under two returns or when they do not vary (Sharpe, "The Sharpe Ratio", Journal of
    Portfolio Management 21, 1994).
    """
    if len(returns) < 2:  # noqa: PLR2004 - a deviation takes two values
        return np.nan
    deviation = float(np.std(returns, ddof=1))
    if not deviation > NO_SPREAD * np.abs(returns).max():
        return np.nan
    return float(np.mean(returns)) / deviation


def volatility(returns: Floats, bars_per_year: float) -> float:
    """Standard deviation (ddof 1) per year; NaN under two returns."""
    if len(returns) < 2:  # noqa: PLR2004
        return np.nan
    return float(np.std(returns, ddof=1) * np.sqrt(bars_per_year))


def sortino(returns: Floats, bars_per_year: float) -> float:
    """Mean over sqrt(mean(min(r, 0)^2)), per year; NaN under two returns or without a loss.

    Sortino and van der Meer, "Downside Risk", Journal of Portfolio Management 17, 1991.
    """
    if len(returns) < 2:  # noqa: PLR2004
        return np.nan
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    return _ratio(float(np.mean(returns)), downside) * float(np.sqrt(bars_per_year))


def cagr(returns: Floats, bars_per_year: float) -> float:
    """Compound growth per year; NaN without returns."""
    if not len(returns):
        return np.nan
    return float(np.prod(1.0 + returns) ** (bars_per_year / len(returns)) - 1.0)


def max_drawdown(returns: Floats) -> tuple[float, int]:
    """The deepest fall from a peak, at most 0, and the bars from that peak back to its height.

    The start counts as a peak. A fall that is not made good lasts to the last bar.
    """
    if not len(returns):
        return np.nan, 0
    equity = np.concatenate(([1.0], np.cumprod(1.0 + returns)))
    peaks = np.maximum.accumulate(equity)
    falls = equity / peaks - 1.0
    lowest = int(np.argmin(falls))
    if not falls[lowest] < 0:
        return 0.0, 0
    start = int(np.flatnonzero(equity[: lowest + 1] == peaks[lowest])[-1])
    back = np.flatnonzero(equity[lowest:] >= peaks[lowest])
    end = lowest + int(back[0]) if len(back) else len(equity) - 1
    return float(falls[lowest]), end - start


def value_at_risk(returns: Floats) -> float:
    """The 5 % quantile of the returns, linearly interpolated; NaN without returns."""
    return float(np.percentile(returns, 100 * TAIL)) if len(returns) else np.nan


def conditional_value_at_risk(returns: Floats) -> float:
    """Mean of the lowest returns, down from rank (n - 1) * 5 %; NaN without returns."""
    if not len(returns):
        return np.nan
    last = int((len(returns) - 1) * TAIL)
    return float(np.mean(np.partition(returns, last)[: last + 1]))


def omega(returns: Floats) -> float:
    """Sum of gains over sum of losses at the threshold 0; NaN without a loss.

    Keating and Shadwick, "A Universal Performance Measure", 2002.
    """
    if len(returns) < 2:  # noqa: PLR2004
        return np.nan
    return _ratio(float(returns[returns > 0].sum()), float(-returns[returns < 0].sum()))


def tail_ratio(returns: Floats) -> float:
    """Size of the 95 % quantile over that of the 5 % quantile; NaN where that is 0."""
    if not len(returns):
        return np.nan
    low, high = np.percentile(returns, [100 * TAIL, 100 * (1 - TAIL)])
    return _ratio(abs(float(high)), abs(float(low)))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else np.nan


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else np.nan
