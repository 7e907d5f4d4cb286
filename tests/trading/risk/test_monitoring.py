"""What an account risks, against NumPy and SciPy by hand."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trading.arrays import Floats
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent, deposit
from trading.portfolio.standing import Standing, standing
from trading.risk.limits import RiskLimits, TradingState
from trading.risk.monitoring import FEWEST_DAYS, RiskReport, risk_report
from trading.risk.watch import RiskState
from trading.units import MONEY, UNIT

NO_LIMITS = RiskLimits(max_position=None, max_gross=None, max_drawdown=None, max_daily_loss=None)


def standing_of(values: dict[str, int], cash: int = 0) -> Standing:
    """An account that holds these dollars of each symbol, below 0 when short, and this cash."""
    equity = cash + sum(values.values())
    fills = [LedgerEvent(1, s, EventKind.FILL, v * UNIT, UNIT) for s, v in values.items()]
    return standing(Account.of([deposit(0, equity * UNIT), *fills]))


def report_of(
    values: dict[str, int],
    returns: dict[str, Floats],
    cash: int = 0,
    memory: RiskState | None = None,
) -> RiskReport:
    remembered = memory or RiskState(TradingState.ACTIVE, "")
    return risk_report(standing_of(values, cash), remembered, NO_LIMITS, returns)


@given(
    seed=st.integers(0, 2**32 - 1), days=st.integers(FEWEST_DAYS, 300), missing=st.integers(0, 5)
)
def test_value_at_risk_is_the_quantile_of_the_days_that_all_positions_have(
    seed: int, days: int, missing: int
) -> None:
    rng = np.random.default_rng(seed)
    values = {"A": 6_000, "B": -2_000, "C": 3_000}
    returns = {symbol: rng.standard_t(4, days + missing) / 100 for symbol in values}
    for symbol in values:
        returns[symbol][rng.integers(0, days, 2) if missing > 2 else slice(0, missing)] = np.nan
    earned = [
        sum(value * returns[symbol][day] for symbol, value in values.items())
        for day in range(days + missing)
        if not any(np.isnan(own[day]) for own in returns.values())
    ]
    found = report_of(values, returns, cash=3_000).value_at_risk
    if len(earned) < FEWEST_DAYS:
        assert found is None
    else:
        oracle = -stats.mstats.mquantiles(earned, 0.05, alphap=1, betap=1)[0]
        assert found == pytest.approx(max(0.0, oracle), rel=1e-9)


@given(seed=st.integers(0, 2**32 - 1), short=st.booleans())
def test_the_highest_correlation_is_pearsons_with_the_side_held(seed: int, short: bool) -> None:  # noqa: FBT001
    rng = np.random.default_rng(seed)
    common = rng.normal(size=60)
    returns = {name: common * weight + rng.normal(size=60) for name, weight in WEIGHTS.items()}
    returns["B"][[3, 7]] = np.nan
    values = {"A": 1_000, "B": -1_000 if short else 1_000, "C": 1_000}
    by_hand = []
    for one, other in (("A", "B"), ("A", "C"), ("B", "C")):
        both = ~(np.isnan(returns[one]) | np.isnan(returns[other]))
        r = stats.pearsonr(returns[one][both], returns[other][both]).statistic
        by_hand.append(-r if values[one] * values[other] < 0 else r)
    assert report_of(values, returns, cash=9_000).correlation == pytest.approx(
        max(by_hand), rel=1e-9
    )


WEIGHTS = {"A": 0.8, "B": 0.6, "C": 0.1}


def test_too_few_days_say_nothing() -> None:
    short = np.linspace(-0.01, 0.01, FEWEST_DAYS - 1)
    found = report_of({"A": 1_000, "B": 500}, {"A": short, "B": short})
    assert (found.correlation, found.value_at_risk) == (None, None)
    flat = np.zeros(FEWEST_DAYS)
    found = report_of({"A": 1_000, "B": 500}, {"A": flat, "B": flat})
    assert (found.correlation, found.value_at_risk) == (None, 0.0)
    assert report_of({"A": 1_000, "B": 500}, {"A": flat}).value_at_risk is None


def test_exposure_concentration_and_falls_by_hand() -> None:
    memory = RiskState(
        TradingState.ACTIVE, "", peak=Fraction(12_500 * MONEY), day_start=10_500 * MONEY
    )
    found = report_of({"A": 6_000, "B": -2_000}, {}, cash=6_000, memory=memory)
    assert (found.gross, found.largest_symbol, found.largest) == (0.8, "A", 0.6)
    assert found.net == pytest.approx(0.4)
    assert found.concentration == pytest.approx(0.75**2 + 0.25**2)
    assert found.drawdown == pytest.approx(0.2)
    assert found.daily_loss == pytest.approx(500 / 10_500)


def test_a_limit_that_is_reached_is_a_breach_with_its_number() -> None:
    memory = RiskState(TradingState.ACTIVE, "", peak=Fraction(10_000 * MONEY))
    limits = RiskLimits(
        max_position=Decimal("0.6"), max_gross=Decimal("0.81"), max_drawdown=Decimal("0.2")
    )
    now = standing_of({"A": 4_800, "B": -1_600}, cash=4_800)
    report = risk_report(now, memory, limits, {})
    assert [str(breach) for breach in report.breaches] == [
        "drawdown 20.00% has reached its limit of 20.00%",
        "exposure in A 60.00% has reached its limit of 60.00%",
    ]
