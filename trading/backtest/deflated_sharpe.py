"""How likely a Sharpe ratio is more than the luck of many tries.

Bailey and Lopez de Prado, "The Deflated Sharpe Ratio: Correcting for Selection Bias, Backtest
Overfitting and Non-Normality", Journal of Portfolio Management 40, 2014.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from trading.arrays import Floats
from trading.backtest.metrics import sharpe_ratio

EULER_MASCHERONI = 0.5772156649015329
_NORMAL = NormalDist()


def expected_maximum_sharpe(variance: float, tried: int) -> float:
    """The Sharpe ratio to expect of the best of `tried` sets without any skill.

    sqrt(V) * ((1 - g) * Z(1 - 1/N) + g * Z(1 - 1/(N e))) with Euler and Mascheroni's constant g
    and the normal quantile Z; 0 for a single set.

    Args:
        variance: V, of the Sharpe ratios of the sets, per bar.
        tried: N, how many sets were tried.
    """
    if tried < 2:  # noqa: PLR2004 - one set is not chosen
        return 0.0
    quantile = _NORMAL.inv_cdf
    weighted = (1 - EULER_MASCHERONI) * quantile(1 - 1 / tried)
    weighted += EULER_MASCHERONI * quantile(1 - 1 / (tried * math.e))
    return math.sqrt(variance) * weighted


def probabilistic_sharpe(
    sharpe: float, benchmark: float, count: int, skewness: float, kurtosis: float
) -> float:
    """The probability that the true Sharpe ratio is above a benchmark.

    Phi((SR - SR*) * sqrt(T - 1) / sqrt(1 - g3 * SR + (g4 - 1) / 4 * SR^2)).

    Args:
        sharpe: SR, as measured, per bar.
        benchmark: SR*, per bar.
        count: T, how many returns it was measured on.
        skewness: g3 of the returns.
        kurtosis: g4 of the returns, 3 for normal ones.
    """
    spread = 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
    if count < 2 or not spread > 0:  # noqa: PLR2004
        return math.nan
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(count - 1) / math.sqrt(spread))


@dataclass(frozen=True, slots=True)
class Moments:
    """What a Sharpe ratio is judged by.

    Attributes:
        count: How many returns there are.
        sharpe: Their Sharpe ratio per bar; NaN without one.
        skewness: Their third standardised moment.
        kurtosis: Their fourth, 3 for normal ones.
    """

    count: int
    sharpe: float
    skewness: float
    kurtosis: float

    @classmethod
    def of(cls, returns: Floats) -> Moments:
        """The moments of some returns; NaN where they do not vary."""
        sharpe = sharpe_ratio(returns)
        if math.isnan(sharpe):
            return cls(len(returns), math.nan, math.nan, math.nan)
        centred = returns - returns.mean()
        second = float(np.mean(centred**2))
        skewness = float(np.mean(centred**3)) / second**1.5
        return cls(len(returns), sharpe, skewness, float(np.mean(centred**4)) / second**2)


def deflated_sharpe(chosen: Moments, sharpes: Sequence[float], tried: int) -> float:
    """The probability that the chosen set's Sharpe ratio is above what luck gives the best one.

    Args:
        chosen: Of the chosen set's returns per bar, in the sample in which it was chosen.
        sharpes: The Sharpe ratios per bar of all sets, the chosen one's too; NaN for a set that
            has none, which does not count for their variance.
        tried: How many sets were tried, those without a Sharpe ratio too.

    Returns:
        A probability; NaN when the returns have no Sharpe ratio, or several sets were tried of
        which fewer than two have one, so that their variance is not known.
    """
    known = np.array([sharpe for sharpe in sharpes if not math.isnan(sharpe)], np.float64)
    if math.isnan(chosen.sharpe) or (tried > 1 and len(known) < 2):  # noqa: PLR2004
        return math.nan
    variance = float(np.var(known, ddof=1)) if tried > 1 else 0.0
    benchmark = expected_maximum_sharpe(variance, tried)
    return probabilistic_sharpe(
        chosen.sharpe, benchmark, chosen.count, chosen.skewness, chosen.kurtosis
    )
