from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import ParameterError
from trading.risk.sizing import fixed_fraction, half_kelly, risk_based, volatility_weight

D = Decimal
money = st.integers(1, 10**12).map(lambda value: D(value) / 100)


@settings(deadline=None)
@given(
    money, st.integers(0, 1_000).map(lambda v: D(v) / 1000), money, st.sampled_from(["1", ".01"])
)
def test_a_fixed_fraction_is_floored(
    equity: Decimal, fraction: Decimal, price: Decimal, step: str
) -> None:
    shares = Fraction(fixed_fraction(equity, fraction, price, D(step)))
    exact = Fraction(equity) * Fraction(fraction) / Fraction(price)
    assert shares <= exact < shares + Fraction(step)
    assert shares % Fraction(step) == 0


def test_a_stopped_out_trade_loses_the_share_that_may_be_lost() -> None:
    given_ = {"equity": D(100_000), "risk": D("0.01"), "increment": D(1)}
    assert risk_based(entry=D(50), stop=D(48), round_trip_cost=D(0), **given_) == 500
    assert risk_based(entry=D(48), stop=D(50), round_trip_cost=D("0.1"), **given_) == 476
    with pytest.raises(ParameterError, match="away from the entry"):
        risk_based(entry=D(50), stop=D(50), round_trip_cost=D(0), **given_)


def test_without_equity_nothing_is_bought() -> None:
    assert fixed_fraction(D(-5), D(1), D(10), D(1)) == 0


def test_volatility_is_scaled_to_the_target_and_bounded() -> None:
    assert volatility_weight(0.1, 0.2, 1.0) == 0.5
    assert volatility_weight(0.1, 0.05, 1.0) == 1.0
    assert volatility_weight(0.1, 0.0, 1.5) == 1.5
    assert volatility_weight(0.1, math.nan, 1.0) == 0.0


def test_half_kelly_is_clamped_and_waits_for_twenty_trades() -> None:
    assert half_kelly(60, 100, D(2)) == D("0.2")
    assert half_kelly(20, 100, D(1)) == 0
    assert half_kelly(19, 19, D(2)) == D("0.02")
    assert half_kelly(20, 20, D(2)) == D("0.5")
    assert half_kelly(50, 100, D(0)) == 0
