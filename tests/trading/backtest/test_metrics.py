from __future__ import annotations

import math
import warnings
from dataclasses import asdict
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from tests.trading.backtest.test_engine import bought_and_sold
from trading.arrays import Floats
from trading.backtest import metrics as ours
from trading.backtest.deflated_sharpe import (
    Moments,
    deflated_sharpe,
    expected_maximum_sharpe,
    probabilistic_sharpe,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import empyrical

YEAR = 1_748.0
returns_arrays = hnp.arrays(np.int64, st.integers(0, 60), elements=st.integers(-4_000, 6_000)).map(
    lambda basis_points: basis_points / 1e4
)


@settings(deadline=None)
@given(returns_arrays)
def test_metrics_are_those_of_empyrical(returns: Floats) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = {
            "sharpe": empyrical.sharpe_ratio(returns, annualization=YEAR),
            "volatility": empyrical.annual_volatility(returns, annualization=YEAR),
            "sortino": empyrical.sortino_ratio(returns, annualization=YEAR),
            "cagr": empyrical.annual_return(returns, annualization=YEAR),
            "max_drawdown": empyrical.max_drawdown(returns),
            "value_at_risk": empyrical.value_at_risk(returns),
            "conditional_value_at_risk": empyrical.conditional_value_at_risk(returns),
            "omega": empyrical.omega_ratio(returns),
            "tail_ratio": empyrical.tail_ratio(returns),
        }
        growth = ours.cagr(returns, YEAR)
    found = {
        "sharpe": ours.sharpe_ratio(returns) * math.sqrt(YEAR),
        "volatility": ours.volatility(returns, YEAR),
        "sortino": ours.sortino(returns, YEAR),
        "cagr": growth,
        "max_drawdown": ours.max_drawdown(returns)[0],
        "value_at_risk": ours.value_at_risk(returns),
        "conditional_value_at_risk": ours.conditional_value_at_risk(returns),
        "omega": ours.omega(returns),
        "tail_ratio": ours.tail_ratio(returns),
    }
    for name, value in found.items():
        # A ratio over nothing is NaN here, whatever the reference makes of 1/0.
        if math.isnan(value) and not math.isfinite(theirs[name]):
            continue
        if name == "sharpe" and math.isnan(value):
            assert np.ptp(returns) <= 1e-13 * np.abs(returns).max()
            continue
        np.testing.assert_allclose(value, theirs[name], rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("returns", "depth", "bars"),
    [
        ([0.1, 0.1], 0.0, 0),
        ([-0.5], -0.5, 1),
        ([-0.5, 1.0], -0.5, 2),
        ([1.0, -0.5, 0.5, 0.1, 0.0], -0.5, 4),
        ([0.0, -0.1, 0.2, -0.05], -0.1, 2),
    ],
)
def test_the_deepest_fall_and_how_long_it_lasts(
    returns: list[float], depth: float, bars: int
) -> None:
    fall, lasted = ours.max_drawdown(np.array(returns))
    assert fall == pytest.approx(depth)
    assert lasted == bars


def test_the_example_of_the_paper_on_deflated_sharpe_ratios() -> None:
    """Bailey and Lopez de Prado 2014: 2.5 a year in 1,250 days, the best of 100, is 0.9004."""
    benchmark = expected_maximum_sharpe(0.5 / 250, 100)
    assert benchmark == pytest.approx(0.1132, abs=5e-5)
    found = probabilistic_sharpe(2.5 / math.sqrt(250), benchmark, 1250, -3.0, 10.0)
    assert found == pytest.approx(0.9004, abs=5e-5)


def test_a_deflated_sharpe_ratio_takes_the_returns_own_moments() -> None:
    rng = np.random.default_rng(4)
    returns = rng.standard_t(5, 500) * 0.01 + 0.001
    sharpes = [ours.sharpe_ratio(returns), *(rng.normal(0, 0.04, 20))]
    known = ours.sharpe_ratio(returns)
    expected = probabilistic_sharpe(
        known,
        expected_maximum_sharpe(float(np.var(sharpes, ddof=1)), 25),
        500,
        stats.skew(returns),
        stats.kurtosis(returns, fisher=False),
    )
    found = deflated_sharpe(Moments.of(returns), [*sharpes, math.nan], 25)
    assert found == pytest.approx(expected, rel=1e-12)
    # The more were tried, the less the best one says.
    assert (
        deflated_sharpe(Moments.of(returns), sharpes, 1_000)
        < found
        < deflated_sharpe(Moments.of(returns), sharpes, 1)
    )


def test_what_cannot_be_known_is_nan() -> None:
    assert math.isnan(deflated_sharpe(Moments.of(np.zeros(10)), [0.1, 0.2], 2))
    assert math.isnan(deflated_sharpe(Moments.of(np.array([0.1, -0.1, 0.2])), [0.1], 5))


def test_a_runs_metrics_count_trades_costs_and_exposure() -> None:
    result = bought_and_sold()  # 10 shares, 100 -> 110, 1 dollar of fees each way
    found = asdict(ours.metrics(result.course, 252.0))
    assert found["trades"] == 1
    assert found["win_rate"] == 1.0
    assert found["expectancy"] == 98.0
    assert math.isnan(found["profit_factor"])
    assert found["total_return"] == pytest.approx(0.0098)
    assert found["exposure"] == pytest.approx(result.invested.sum() / len(result.equity))
    assert result.final_equity == Decimal(10_098)
    before = np.array([10_000.0, *result.equity[:-1]])
    assert found["turnover"] == pytest.approx(float(np.mean(result.traded / before)) / 2)
