from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.backtest.markets import Listed, clock_of, market_of
from tests.trading.backtest.plain import Costs as PlainCosts
from tests.trading.backtest.plain import PlainRun
from trading.backtest.engine import run
from trading.backtest.result import Result
from trading.backtest.source import CancelAll, Request
from trading.backtest.terms import Terms
from trading.instruments.actions import ActionKind, CorporateAction
from trading.orders.fills import Costs
from trading.orders.model import Order, OrderType, Side, TimeInForce
from trading.orders.states import OrderState
from trading.portfolio.account import Account
from trading.risk.limits import RiskLimits
from trading.units import MONEY, from_units, to_dollars

PER_SESSION = 4
CAPITAL = Decimal(100_000_000)  # no case loses all of it


cents = st.integers(1, 400).map(lambda value: Decimal(value) * Decimal("0.05") + 90)


@st.composite
def bars(draw: st.DrawFn, count: int) -> list[tuple[float, ...] | None]:
    """Bars that gap, stand still, halt and trade little."""
    rows: list[tuple[float, ...] | None] = []
    for _ in range(count):
        if draw(st.integers(0, 7)) == 0:
            rows.append(None)
            continue
        four = sorted(float(draw(cents)) for _ in range(4))
        opened, close = four[1:3] if draw(st.booleans()) else four[2:0:-1]
        volume = draw(st.sampled_from([0.0, 7.0, 100.0, 1_000.0, 12_345.0, 1e6]))
        rows.append((opened, four[3], four[0], close, volume))
    return rows


@st.composite
def orders(draw: st.DrawFn, count: int, symbols: list[str], step: Decimal) -> dict[int, Any]:
    asked: dict[int, list[dict[str, Any]]] = {}
    for number in range(draw(st.integers(1, 12))):
        kind = draw(st.sampled_from(["market", "market", "limit", "stop", "cancel"]))
        side = draw(st.sampled_from([1, -1]))
        price = draw(cents) if kind in {"limit", "stop"} else None
        middle = price or Decimal(100)
        bracket = draw(st.integers(0, 2)) == 0
        loss, gain = (draw(st.integers(1, 60)) * Decimal("0.05") for _ in range(2))
        asked.setdefault(draw(st.integers(0, count - 1)), []).append(
            {
                "id": f"o{number}", "symbol": draw(st.sampled_from(symbols)), "side": side,
                "type": kind, "price": price,
                "quantity": draw(st.integers(1, 400)) * step,
                "tif": draw(st.sampled_from(["day", "gtc"])),
                "stop_loss": middle - side * loss if bracket else None,
                "take_profit": middle + side * gain if bracket else None,
                "reduce_only": not bracket and draw(st.integers(0, 4)) == 0,
            }
        )  # fmt: skip
    return asked


def request(asked: dict[str, Any]) -> Request:
    if asked["type"] == "cancel":
        return CancelAll(asked["symbol"])
    return Order(
        client_order_id=asked["id"],
        symbol=asked["symbol"],
        side=Side(asked["side"]),
        quantity=asked["quantity"],
        type=OrderType(asked["type"]),
        price=asked["price"],
        time_in_force=TimeInForce(asked["tif"]),
        stop_loss=asked["stop_loss"],
        take_profit=asked["take_profit"],
        reduce_only=asked["reduce_only"],
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[PlainRun, dict[int, Any]]:
    count = draw(st.integers(3, 16))
    symbols = ["AAPL", "MSFT"][: draw(st.integers(1, 2))]
    step = draw(st.sampled_from([Decimal(1), Decimal("0.001"), Decimal(5)]))
    number = st.integers(0, 500).map(lambda value: Decimal(value) / 100)
    costs = PlainCosts(
        draw(number), draw(number) / 100, draw(number) * 10,
        draw(st.sampled_from([None, Decimal("0.025"), Decimal("0.29"), Decimal(1)])),
    )  # fmt: skip
    sessions = range(1, (count - 1) // PER_SESSION + 1)
    splits = {}
    if sessions and draw(st.booleans()):
        ratio = draw(
            st.sampled_from([Fraction(2), Fraction(3, 2), Fraction(1, 3), Fraction(1, 10)])
        )
        splits[draw(st.sampled_from(sessions)) * PER_SESSION, "AAPL"] = ratio
    plain = PlainRun(
        {symbol: draw(bars(count)) for symbol in symbols}, step, costs,
        [row % PER_SESSION == PER_SESSION - 1 for row in range(count)], splits,
    )  # fmt: skip
    return plain, draw(orders(count, symbols, step))


def result_of(plain: PlainRun, asked: dict[int, Any]) -> Result:
    clock = clock_of(len(plain.ends_session), PER_SESSION)
    costs = Costs.of(
        fees_bps=plain.costs.fees_bps, fee_per_share=plain.costs.per_share,
        slippage_bps=plain.costs.slippage_bps, participation=plain.costs.participation,
    )  # fmt: skip
    actions = [
        CorporateAction(symbol=symbol, kind=ActionKind.SPLIT, ex_date=clock.dates[row].item(),
                        value=float(ratio))
        for (row, symbol), ratio in plain.splits.items()
    ]  # fmt: skip
    source = Listed({row: [request(one) for one in listed] for row, listed in asked.items()})
    terms = Terms(
        capital=CAPITAL, costs=costs, limits=RiskLimits(buying_power=None), actions=actions
    )
    return run(market_of(plain.bars, clock, plain.increment), source, terms)


@settings(max_examples=400, deadline=None)
@given(cases())
def test_every_fill_is_that_of_a_plain_loop(case: tuple[PlainRun, dict[int, Any]]) -> None:
    plain, asked = case
    result = result_of(plain, asked)
    plain.run(asked, CAPITAL)
    clock = clock_of(len(plain.ends_session), PER_SESSION)
    rows = {int(start): row for row, start in enumerate(clock.starts)}
    ours = [
        (rows[fill.timestamp], fill.symbol, fill.order_id, from_units(fill.quantity),
         from_units(fill.price), to_dollars(fill.fee))
        for fill in result.fills
    ]  # fmt: skip
    assert sorted(ours) == sorted(plain.fills)
    denied = {o.order.client_order_id for o in result.orders if o.state is OrderState.DENIED}
    assert denied == set(plain.denied)
    np.testing.assert_allclose(result.equity[-1], float(plain.equity[-1]), rtol=1e-15)
    assert result.final_equity == plain.equity[-1]


@settings(max_examples=150, deadline=None)
@given(cases())
def test_equity_less_deposits_is_what_was_earned_at_every_bar(
    case: tuple[PlainRun, dict[int, Any]],
) -> None:
    """From the ledger alone, folded up to each bar and marked at its closes."""
    plain, asked = case
    result = result_of(plain, asked)
    clock = clock_of(len(plain.ends_session), PER_SESSION)
    account, events = Account(), list(result.ledger)
    for row, start in enumerate(clock.starts.tolist()):
        while events and events[0].timestamp <= start:
            account.apply(events.pop(0))
            earned = account.realized + account.unrealized - account.fees
        for symbol, own in plain.bars.items():
            if (bar := own[row]) is not None:
                account.mark(symbol, round(Decimal(repr(bar[3])) * 10**9))
        earned = account.realized + account.unrealized - account.fees
        assert account.equity - account.deposits == earned
        assert account.equity / MONEY == result.equity[row]
