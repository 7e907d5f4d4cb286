from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import ParameterError
from trading.orders.fills import Costs, touched
from trading.orders.model import Leg, Order, OrderType, Side, client_order_id
from trading.units import UNIT, floored, from_units, price_units, quantity_of, to_dollars, to_units

T = OrderType
NAMES: dict[str, Any] = {
    "strategy": "s", "fingerprint": "f", "symbol": "AAPL", "bar": "2024-01-02T14:30:00Z",
    "side": Side.BUY, "leg": Leg.ENTRY,
}  # fmt: skip


def order(**changed: Any) -> Order:
    values: dict[str, Any] = {
        "client_order_id": "o", "symbol": "AAPL", "side": Side.BUY, "quantity": Decimal(1)
    }  # fmt: skip
    return Order(**(values | changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"quantity": Decimal(0)},
        {"quantity": Decimal(-1)},
        {"type": T.LIMIT},
        {"price": Decimal(1)},
        {"type": T.LIMIT, "price": Decimal(100), "stop_loss": Decimal(100)},
        {"type": T.LIMIT, "price": Decimal(100), "take_profit": Decimal(99)},
        {"stop_loss": Decimal(101), "take_profit": Decimal(99)},
        {"side": Side.SELL, "stop_loss": Decimal(99), "take_profit": Decimal(101)},
    ],
)
def test_an_order_that_makes_no_sense_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        order(**changed)


def test_an_orders_name_is_the_same_again_and_differs_with_each_part() -> None:
    name = client_order_id(**NAMES)
    assert name == client_order_id(**NAMES)
    assert len(name) <= 128
    others = {"strategy": "t", "fingerprint": "g", "symbol": "MSFT", "bar": "2024-01-03T14:30:00Z",
              "side": Side.SELL, "leg": Leg.CLOSE}  # fmt: skip
    names = {client_order_id(**(NAMES | {key: value})) for key, value in others.items()}
    assert len(names | {name}) == len(others) + 1
    # Two parts do not run into each other.
    assert client_order_id(**(NAMES | {"strategy": "sf", "fingerprint": ""})) != name


@pytest.mark.parametrize(
    ("kind", "side", "price", "bar", "fills_at"),
    [
        (T.MARKET, 1, 0, (100, 105, 95), 100),
        (T.LIMIT, 1, 95, (100, 105, 95), 95),
        (T.LIMIT, 1, 94, (100, 105, 95), None),
        (T.LIMIT, 1, 102, (100, 105, 95), 100),
        (T.STOP, 1, 105, (100, 105, 95), 105),
        (T.STOP, 1, 106, (100, 105, 95), None),
        (T.STOP, 1, 98, (100, 105, 95), 100),
        (T.LIMIT, -1, 105, (100, 105, 95), 105),
        (T.LIMIT, -1, 106, (100, 105, 95), None),
        (T.LIMIT, -1, 98, (100, 105, 95), 100),
        (T.STOP, -1, 95, (100, 105, 95), 95),
        (T.STOP, -1, 94, (100, 105, 95), None),
        (T.STOP, -1, 102, (100, 105, 95), 100),
    ],
)
def test_at_what_price_a_bar_fills(
    kind: T, side: int, price: int, bar: tuple[int, int, int], fills_at: int | None
) -> None:
    assert touched(kind, side, price, *bar) == fills_at


def test_slippage_is_adverse_and_not_on_limits() -> None:
    costs = Costs.of(slippage_bps=Decimal("2.5"))
    price = to_units(Decimal("33.33"))
    assert from_units(costs.slipped(price, 1, T.MARKET)) == Decimal("33.3383325")
    assert from_units(costs.slipped(price, -1, T.STOP)) == Decimal("33.3216675")
    assert costs.slipped(price, 1, T.LIMIT) == price
    assert costs.slipped(1, 1, T.MARKET) == 2  # less than a unit is a unit, against us
    assert costs.slipped(2, -1, T.MARKET) == 1


@settings(deadline=None)
@given(st.integers(1, 10**9), st.integers(1, 10**12), st.integers(0, 9_999), st.integers(0, 1_000))
def test_a_fee_is_rounded_half_up_to_the_cent(
    shares_in_thousandths: int, price_in_cents: int, bps_in_hundredths: int, per_share: int
) -> None:
    shares, price = Decimal(shares_in_thousandths) / 1000, Decimal(price_in_cents) / 100
    bps, each = Decimal(bps_in_hundredths) / 100, Decimal(per_share) / 1000
    costs = Costs.of(fees_bps=bps, fee_per_share=each)
    exact = shares * price * bps / 10_000 + shares * each
    found = to_dollars(costs.fee(to_units(shares), to_units(price)))
    assert found == exact.quantize(Decimal("0.01"), ROUND_HALF_UP)


def test_half_a_cent_becomes_one() -> None:
    costs = Costs.of(fees_bps=Decimal(1))
    assert to_dollars(costs.fee(UNIT, to_units(Decimal(50)))) == Decimal("0.01")
    assert to_dollars(costs.fee(UNIT, to_units(Decimal("49.99")))) == 0


def test_the_participation_is_floored_by_exact_arithmetic() -> None:
    costs = Costs.of(participation=Decimal("0.29"))
    # 100 * 0.29 is 28.999999999999996 in float64.
    assert costs.available(quantity_of(100.0), UNIT) == 29 * UNIT
    assert costs.available(quantity_of(103.0), UNIT) == 29 * UNIT
    assert costs.available(quantity_of(103.0), UNIT // 100) == 2987 * UNIT // 100
    assert Costs.of().available(quantity_of(103.0), UNIT) is None


@settings(deadline=None)
@given(st.integers(-(10**12), 10**12), st.integers(1, 10**10))
def test_a_quantity_is_floored_towards_zero(quantity: int, increment: int) -> None:
    found = floored(quantity, increment)
    assert found % increment == 0
    assert abs(found) <= abs(quantity) < abs(found) + increment
    assert found * quantity >= 0


def test_more_than_nine_decimals_are_refused_and_fewer_are_exact() -> None:
    assert from_units(to_units(Decimal("0.000000001"))) == Decimal("0.000000001")
    for wrong in ("0.0000000001", "NaN", "Infinity"):
        with pytest.raises(ParameterError, match="9 decimals"):
            to_units(Decimal(wrong))


@settings(deadline=None)
@given(st.integers(1, 2 * 10**12).map(lambda value: Decimal(value).scaleb(-6)))
def test_a_float_price_is_read_as_its_decimals_say(price: Decimal) -> None:
    import numpy as np  # noqa: PLC0415

    assert price_units(np.array([float(price)]), "open")[0] == to_units(price)
