"""Signals made into orders: the targets of the engine's own source."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.backtest.markets import clock_of, market_of
from tests.trading.backtest.runs import FLAT, FREE, filled, flat, signalled
from trading.backtest.assumptions import Assumptions
from trading.backtest.engine import run
from trading.backtest.targets import TargetOrders, targets
from trading.backtest.terms import Terms
from trading.errors import DataError
from trading.execution.target_order import target_quantity
from trading.portfolio.attribution import Decision, attribution
from trading.risk.limits import RiskLimits
from trading.strategies.protocol import Signals
from trading.units import MONEY, UNIT, from_units, to_units


def test_a_signal_that_turns_a_position_around_still_ends_it_while_only_reductions_pass() -> None:
    rows = [flat(100), flat(100), flat(90), flat(90), flat(90)]
    short = FREE.model_copy(update={"allow_short": True})
    limits = RiskLimits(max_daily_loss=Decimal("0.05"))
    result = signalled(rows, [1, 1, -1, -1, -1], short, limits=limits)
    assert [fill[2] for fill in filled(result)] == [100, -100]
    assert result.denials() == {}


def test_an_order_is_made_when_the_target_changes_and_only_then() -> None:
    rows = [flat(price) for price in (100, 101, 102, 103, 104, 105)]
    result = signalled(rows, [1, 1, 0, -1, -1, 1], FREE)
    # Floored: 10,000 / 100 is 100, bought at 101.
    assert [fill[:1] + fill[2:] for fill in filled(result)] == [(1, 100, 101), (4, -100, 104)]
    short = FREE.model_copy(update={"allow_short": True})
    flipped = filled(signalled(rows, [1, 1, 0, -1, -1, 1], short))
    # At the close of 103 equity is 10,200, so 99 shares short: 199 sold at once.
    assert [fill[2] for fill in flipped] == [100, -199]


def test_a_denied_entry_is_not_sent_again_every_bar() -> None:
    limits = RiskLimits(max_order=Decimal(1))
    result = signalled([FLAT] * 6, [1, 1, 1, 1, 1, 1], FREE, limits=limits)
    assert result.denials() == {"MAX_ORDER": 1}


def test_positions_are_brought_back_to_their_targets_only_when_asked() -> None:
    rows = [flat(price) for price in (100, 100, 50, 50)]
    half = FREE.model_copy(update={"allocation": Decimal("0.5")})
    assert len(signalled(rows, [1, 1, 1, 1], half).fills) == 1
    again = half.model_copy(update={"rebalance": True})
    fills = filled(signalled(rows, [1, 1, 1, 1], again))
    assert [fill[2] for fill in fills] == [50, 25]  # 7,500 / 2 / 50, less 50


def test_capital_is_shared_by_the_symbols_of_a_portfolio_on_one_clock() -> None:
    clock = clock_of(3)
    market = market_of({"AAPL": [FLAT] * 3, "MSFT": [None, flat(50), flat(50)]}, clock)
    signals = [Signals(np.array([1, 1, 1], np.int8)), Signals(np.array([1, 1], np.int8))]
    result = run(
        market,
        TargetOrders(market, signals, FREE),
        Terms(capital=Decimal(10_000), costs=FREE.costs()),
    )
    assert [(fill.symbol, int(from_units(fill.quantity))) for fill in result.fills] == [
        ("AAPL", 50), ("MSFT", 100)
    ]  # fmt: skip


def test_targets_beyond_one_are_refused_and_shorts_only_where_allowed() -> None:
    own = Signals(np.zeros(3, np.int8), target=np.array([0.5, np.nan, -0.25]))
    assert targets(own, allow_short=True).tolist()[::2] == [0.5, -0.25]
    assert targets(own, allow_short=False).tolist()[::2] == [0.5, 0.0]
    wrong = Signals(np.zeros(1, np.int8), target=np.array([1.5]))
    with pytest.raises(DataError, match=r"wants 1\.5"):
        targets(wrong, allow_short=True)


def test_the_attribution_of_a_run_adds_up_to_its_change_of_equity() -> None:
    rows = [flat(price) for price in (100, 101, 102, 103, 104, 105)]
    dear = Assumptions(slippage_bps=Decimal(10), fees_bps=Decimal(5), participation=None)
    result = signalled(rows, [1, 1, 0, -1, -1, 1], dear)
    decisions = {
        order.order.client_order_id: Decision(
            order.order.strategy, to_units(order.order.decision_price or Decimal(0))
        )
        for order in result.orders
    }
    parts = attribution(result.ledger, decisions, result.account)
    found = parts["s", "AAPL"].dollars()
    assert found["total"] == result.final_equity - 10_000
    assert found["fees"] == -result.fees
    assert found["slippage"] < 0


@settings(deadline=None)
@given(
    st.integers(1, 10**9), st.floats(-1, 1), st.integers(1, 50), st.integers(1, 10**9),
    st.sampled_from([1, 10**6, UNIT, 100 * UNIT]),
)  # fmt: skip
def test_a_target_is_floored_by_exact_arithmetic(
    cents: int, target: float, symbols: int, price: int, increment: int
) -> None:
    equity = cents * MONEY // 100
    found = target_quantity(equity, target, Fraction(1, symbols), price * 1000, increment)
    exact = abs(Fraction(target)) * equity / symbols / (price * 1000)
    assert abs(found) == exact // increment * increment
    assert found * target >= 0
    assert target_quantity(0, target, Fraction(1), price, increment) == 0
