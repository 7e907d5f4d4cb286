"""The S&P 500 beside a portfolio, against SciPy and empyrical."""

from __future__ import annotations

import empyrical
import numpy as np
import pytest
from scipy import stats

from tests.trading.portfolio.test_positions import history, table
from trading.portfolio.benchmark import buy_and_hold, market_model
from trading.portfolio.positions import trades

YEAR = 2004.0
NAN = float("nan")


def walk(n: int, seed: int) -> np.ndarray:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.01, n)))


@pytest.mark.parametrize("seed", range(5))
def test_holding_the_index_is_what_empyrical_says(seed: int) -> None:
    spx = walk(60, seed)
    held = buy_and_hold(spx, YEAR)
    assert held is not None
    earned = np.append(spx[1:] / spx[:-1] - 1, 0.0)
    assert held.total_pnl_pct == pytest.approx(100 * (spx[-1] / spx[0] - 1))
    assert held.sharpe == pytest.approx(empyrical.sharpe_ratio(earned, annualization=YEAR))
    assert held.max_drawdown_pct == pytest.approx(100 * empyrical.max_drawdown(earned))
    assert held.win_rate == pytest.approx((earned[:-1] > 0).mean())
    np.testing.assert_allclose(held.equity[:-1], spx[1:] / spx[0])


def test_bars_without_an_index_value_earn_nothing() -> None:
    held = buy_and_hold(np.array([NAN, 100.0, NAN, 110.0, 0.0, 99.0]), YEAR)
    assert held is not None
    np.testing.assert_allclose(held.equity, [1.0, 1.1, 1.1, 0.99, 0.99, 0.99])
    assert held.total_pnl_pct == pytest.approx(-1.0)
    assert held.win_rate == 0.5
    assert buy_and_hold(np.array([NAN, 100.0, NAN]), YEAR) is None


@pytest.mark.parametrize("seed", range(5))
def test_each_contracts_regression_is_scipys(seed: int) -> None:
    spx, gapped = walk(40, seed), walk(40, seed + 100)
    gapped[[3, 17, 18]] = NAN
    spx[25] = NAN
    rows = history("A", list(walk(40, seed + 50)), "." * 40) + history("B", list(gapped), "." * 40)
    made = trades(table(rows))
    found = market_model(made, spx)
    for i, contract in enumerate(made.contracts):
        price = np.array([row.price for row in rows if row.contract == contract])
        known = np.flatnonzero(np.isfinite(price))  # both returns span what the contract halted
        x, y = spx[known[1:]] / spx[known[:-1]] - 1, price[known[1:]] / price[known[:-1]] - 1
        both = np.isfinite(x)
        wanted = stats.linregress(x[both], y[both])
        assert found.pairs[i] == both.sum() > 30, contract
        assert found.beta[i] == pytest.approx(wanted.slope, rel=1e-9)
        assert found.standard_error[i] == pytest.approx(wanted.stderr, rel=1e-9)
        assert found.correlation[i] == pytest.approx(wanted.rvalue, rel=1e-9)


def test_too_few_pairs_or_an_index_that_does_not_move_define_nothing() -> None:
    made = trades(table(history("A", [100, 101, 103], "...") + history("B", [50, 51], "..")))
    found = market_model(made, np.array([10.0, 11.0, 11.5]))
    assert np.isfinite(found.beta).tolist() == [True, False]
    assert np.isnan(found.standard_error).all(), "two pairs have no degree of freedom left"
    flat = market_model(made, np.array([10.0, 10.0, 10.0]))
    assert np.isnan(flat.beta).all()
    assert np.isnan(flat.correlation).all()
