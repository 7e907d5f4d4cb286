from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.orders.fills import Costs
from trading.orders.model import Order, OrderType, Side
from trading.risk.exposure import Exposure
from trading.risk.gate import Opposite, Situation, denial
from trading.risk.limits import Code, RiskLimits, TradingState
from trading.units import MONEY, UNIT

ALL = RiskLimits(
    max_order=Decimal(5_000), max_position=Decimal("0.5"), max_gross=Decimal("0.8"),
    buying_power=Decimal(1), price_collar=Decimal("0.05"), max_price_age=60,
    max_orders_per_minute=3,
)  # fmt: skip
COSTS = Costs.of(fees_bps=Decimal(10), slippage_bps=Decimal(10))


def order(number: str = "10", side: Side = Side.BUY, **changed: Any) -> Order:
    return Order(client_order_id="o", symbol="AAPL", side=side, quantity=Decimal(number), **changed)


def situation(**changed: Any) -> Situation:
    values: dict[str, Any] = {
        "state": TradingState.ACTIVE, "price": 100 * UNIT, "exposure": Exposure(), "gross": 0,
        "equity": 10_000 * MONEY, "costs": COSTS,
    }  # fmt: skip
    return Situation(**(values | changed))


def limit(price: int, side: Side = Side.BUY) -> Order:
    return order(side=side, type=OrderType.LIMIT, price=Decimal(price))


HELD = Exposure(position=10 * UNIT)
RESTING = Opposite(price=101 * UNIT)
ONLY_POWER = RiskLimits(buying_power=Decimal(1))


@pytest.mark.parametrize(
    ("asked", "now", "limits", "code"),
    [
        (order(), {}, ALL, None),
        (order(), {"reconciling": True}, ALL, Code.RECONCILING),
        (order(), {"state": TradingState.HALTED}, ALL, Code.TRADING_HALTED),
        (order(side=Side.SELL), {"state": TradingState.HALTED, "exposure": HELD}, ALL,
         Code.TRADING_HALTED),
        (order(), {"state": TradingState.REDUCING}, ALL, Code.REDUCING_WOULD_INCREASE),
        (order(), {"locked": True}, ALL, Code.REDUCING_WOULD_INCREASE),
        (order(side=Side.SELL), {"state": TradingState.REDUCING, "exposure": HELD}, ALL, None),
        (order("11", Side.SELL), {"state": TradingState.REDUCING, "exposure": HELD}, ALL,
         Code.REDUCING_WOULD_INCREASE),
        # Ten are held and five of them are being sold already.
        (order("6", Side.SELL),
         {"state": TradingState.REDUCING, "exposure": Exposure(10 * UNIT, 0, 5 * UNIT)}, ALL,
         Code.REDUCING_WOULD_INCREASE),
        (order(), {"seen": True}, ALL, Code.DUPLICATE_SIGNAL),
        (order(), {"market_open": False}, ALL, Code.MARKET_CLOSED),
        (order(), {"price": 0}, ALL, Code.NO_PRICE),
        (order(), {"price_age": 60.0}, ALL, None),
        (order(), {"price_age": 60.1}, ALL, Code.STALE_PRICE),
        (limit(95), {}, ALL, None),
        (limit(94), {}, ALL, Code.PRICE_COLLAR),
        (order(), {"opposite": (RESTING,)}, ALL, Code.WASH),
        (limit(101), {"opposite": (RESTING,)}, ALL, Code.WASH),
        (limit(100), {"opposite": (RESTING,)}, ALL, None),
        (limit(102, Side.SELL), {"opposite": (RESTING,)}, ALL, None),
        (order(), {"opposite": (Opposite(price=None),)}, ALL, Code.WASH),
        (order(), {"recent_orders": 3}, ALL, Code.RATE),
        (order("50"), {}, RiskLimits(max_order=Decimal(5_000)), None),
        (order("51"), {}, RiskLimits(max_order=Decimal(5_000)), Code.MAX_ORDER),
        (order("50"), {}, ALL, None),
        (order("11"), {"exposure": Exposure(40 * UNIT), "gross": 4_000 * MONEY}, ALL,
         Code.MAX_POSITION),
        # Open orders count as filled.
        (order("11"), {"exposure": Exposure(0, 40 * UNIT, 0)}, ALL, Code.MAX_POSITION),
        (order("31"), {"gross": 5_000 * MONEY}, ALL, Code.MAX_GROSS),
        (order("100"), {}, ONLY_POWER, Code.BUYING_POWER),  # costs do not fit
        (order("99"), {}, ONLY_POWER, None),
        (order("100", Side.SELL), {}, ONLY_POWER, Code.BUYING_POWER),
        (order("60"), {"gross": 5_000 * MONEY}, ONLY_POWER, Code.BUYING_POWER),
        # An exit is held to no size, and to no number.
        (order(side=Side.SELL), {"recent_orders": 3, "exposure": HELD}, ALL, None),
        (order("11", Side.SELL), {"recent_orders": 3, "exposure": HELD}, ALL, Code.RATE),
        (order("90", Side.SELL), {"exposure": Exposure(90 * UNIT), "gross": 9_000 * MONEY}, ALL,
         None),
    ],
)  # fmt: skip
def test_what_the_gate_says(
    asked: Order, now: dict[str, Any], limits: RiskLimits, code: Code | None
) -> None:
    assert denial(asked, situation(**now), limits) is code


quantities = st.integers(-50, 50)
open_ = st.integers(0, 50)


@settings(deadline=None)
@given(quantities, open_, open_, st.sampled_from([1, -1]), st.integers(1, 60))
def test_a_reduction_never_makes_the_worst_case_worse(
    position: int, buys: int, sells: int, side: int, quantity: int
) -> None:
    exposure = Exposure(position, buys, sells)
    after = exposure.with_order(side, quantity)
    worst = max(
        abs(position + bought - sold)
        for bought in (0, after.buys) for sold in (0, after.sells)
    )  # fmt: skip
    assert after.worst >= max(abs(position + after.buys), abs(position - after.sells))
    assert after.worst >= worst or (after.buys and after.sells)
    if exposure.reduces(side, quantity):
        assert after.worst == exposure.worst
        assert abs(position + side * quantity) < abs(position)
