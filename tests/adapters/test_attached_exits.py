"""An order with a stop or a target that hangs on it: refused by every broker, before it is sent."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.brokers.alpaca.broker import AlpacaBroker
from adapters.brokers.alpaca.client import AlpacaClient
from adapters.brokers.errors import OrderRejectedError
from adapters.brokers.paper import PaperBroker, Terms
from adapters.brokers.protocol import Broker
from tests.adapters.alpaca_trading import KEY_ID, SECRET, InProcess, TradingBooks
from tests.live.executor.world import hours_of
from trading.bars.intervals import Interval
from trading.orders.fills import Costs
from trading.orders.model import Order, Side


def brokers() -> list[Broker]:
    """One of each kind."""
    books = TradingBooks(lambda: datetime.now(UTC), cash=Decimal(10_000))
    client = AlpacaClient(SecretStr(KEY_ID), SecretStr(SECRET), transport=InProcess(books))
    terms = Terms(
        costs=Costs.of(), interval=Interval.HOUR, hours=hours_of(3), increments={}
    )  # fmt: skip
    return [AlpacaBroker(client), PaperBroker([], [], terms, datetime.now(UTC), {})]


@pytest.mark.parametrize("exits", [{"stop_loss": Decimal(90)}, {"take_profit": Decimal(110)}])
def test_no_broker_takes_an_order_without_the_exits_that_hang_on_it(exits: dict[str, Any]) -> None:
    plain: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "quantity": Decimal(1)}
    for broker in brokers():
        with pytest.raises(OrderRejectedError, match="is not sent: send the order without"):
            broker.submit(Order(client_order_id="o", **plain, **exits))
        assert not broker.open_orders()
        broker.submit(Order(client_order_id="o", **plain))
        assert [o.order.client_order_id for o in broker.open_orders()] == ["o"]
