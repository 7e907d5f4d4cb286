"""Runs of the engine over bars and orders that fit in a line, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np

from tests.trading.backtest.markets import Listed, Row, clock_of, market_of
from trading.backtest.assumptions import Assumptions
from trading.backtest.engine import run
from trading.backtest.result import Result
from trading.backtest.source import Request
from trading.backtest.targets import TargetOrders
from trading.backtest.terms import Terms
from trading.orders.fills import Costs
from trading.orders.model import Order, Side
from trading.orders.states import OrderState
from trading.strategies.protocol import Signals
from trading.units import from_units

FLAT: Row = (100.0, 100.0, 100.0, 100.0, 1e6)
FREE = Assumptions(fees_bps=Decimal(0), slippage_bps=Decimal(0), participation=None)


def flat(price: float, volume: float = 1e6) -> Row:
    return (price, price, price, price, volume)


def ordered(number: int = 10, **changed: Any) -> Order:
    values: dict[str, Any] = {
        "client_order_id": "o", "symbol": "AAPL", "side": Side.BUY, "quantity": Decimal(number),
    }  # fmt: skip
    return Order(**(values | changed))


def ran(
    rows: Sequence[Row | None],
    requests: dict[int, list[Request]],
    *,
    costs: Costs | None = None,
    capital: int = 10_000,
    per_session: int = 100,
    increment: str = "1",
    **terms: Any,
) -> Result:
    market = market_of({"AAPL": list(rows)}, clock_of(len(rows), per_session), Decimal(increment))
    made = Terms(capital=Decimal(capital), costs=costs or Costs.of(), **terms)
    return run(market, Listed(requests), made)


def signalled(
    rows: Sequence[Row | None], signal: Sequence[int], assumptions: Assumptions, **terms: Any
) -> Result:
    market = market_of({"AAPL": list(rows)}, clock_of(len(rows), 100))
    signals = Signals(np.array(signal, np.int8))
    source = TargetOrders(market, [signals], assumptions, strategy="s")
    made = Terms(capital=Decimal(10_000), costs=assumptions.costs(), **terms)
    return run(market, source, made)


def filled(result: Result) -> list[tuple[int, str, float, float]]:
    starts = result.timestamps.astype("datetime64[ns]").view(np.int64).tolist()
    return [
        (starts.index(fill.timestamp), fill.order_id, float(from_units(fill.quantity)),
         float(from_units(fill.price)))
        for fill in result.fills
    ]  # fmt: skip


def states(result: Result) -> dict[str, OrderState]:
    return {order.order.client_order_id: order.state for order in result.orders}
