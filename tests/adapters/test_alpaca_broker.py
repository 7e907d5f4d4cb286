"""The adapter of Alpaca over real HTTP, and the stand-in that alpaca-py proves faithful."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, QueryOrderStatus
from alpaca.trading.enums import TimeInForce as TheirTimeInForce
from alpaca.trading.models import TradeUpdate
from alpaca.trading.requests import GetOrdersRequest, MarketOrderRequest
from alpaca.trading.stream import TradingStream
from pydantic import SecretStr

from adapters.brokers.alpaca.broker import AlpacaBroker, open_alpaca
from adapters.brokers.alpaca.client import LIVE_URL, AlpacaClient
from adapters.brokers.errors import (
    BrokerAccessError,
    DuplicateOrderError,
    OrderRejectedError,
    OutcomeUnknownError,
)
from adapters.brokers.protocol import BrokerStatus, OrderUpdate
from adapters.market_data.rest.client import Patience
from tests.adapters.alpaca_trading import KEY_ID, NUMBER, SECRET, Fault, TradingBooks
from tests.adapters.alpaca_trading_server import TradingServer, until_listening
from tests.waiting import wait_until
from trading.errors import ParameterError
from trading.orders.history import OrderEventKind
from trading.orders.model import Order, OrderType, Side

IMPATIENT = Patience(connect=1.0, read=0.3, answer=0.5)


@pytest.fixture
def server() -> Iterator[TradingServer]:
    with TradingServer(TradingBooks(lambda: datetime.now(UTC))).running() as running:
        yield running


@pytest.fixture
def broker(server: TradingServer) -> Iterator[AlpacaBroker]:
    client = AlpacaClient(SecretStr(KEY_ID), SecretStr(SECRET), server.url, IMPATIENT)
    broker = AlpacaBroker(client)
    yield broker
    broker.close()


def order(name: str = "o1", quantity: str = "10", symbol: str = "BRK-B") -> Order:
    return Order(
        client_order_id=name, symbol=symbol, side=Side.BUY, quantity=Decimal(quantity),
        strategy="adopted",
    )  # fmt: skip


# The stand-in, as alpaca-py sees it.


def test_the_vendors_own_client_trades_with_the_stand_in(server: TradingServer) -> None:
    client = TradingClient(KEY_ID, SECRET, url_override=server.url)
    asked = MarketOrderRequest(
        symbol="AAPL", qty=3, side=OrderSide.BUY, time_in_force=TheirTimeInForce.DAY,
        client_order_id="theirs",
    )  # fmt: skip
    made = client.submit_order(asked)
    assert str(client.get_order_by_client_id("theirs").id) == str(made.id)  # type: ignore[union-attr]
    [opened] = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.OPEN))
    assert opened.client_order_id == "theirs"  # type: ignore[union-attr]
    with pytest.raises(Exception, match="client_order_id must be unique"):
        client.submit_order(asked)
    server.books.fill(server.books.open()[0], Decimal(3), Decimal(50))
    [position] = client.get_all_positions()
    assert (position.symbol, position.qty) == ("AAPL", "3")  # type: ignore[union-attr]
    account = client.get_account()
    assert (account.account_number, account.cash) == (NUMBER, "99850")  # type: ignore[union-attr]
    assert client.get_clock().is_open  # type: ignore[union-attr]


def test_the_vendors_own_stream_hears_the_stand_in(server: TradingServer) -> None:
    heard: list[TradeUpdate] = []
    stream = TradingStream(
        KEY_ID, SECRET, url_override=server.url.replace("http", "ws") + "/stream"
    )

    async def hear(update: TradeUpdate) -> None:
        heard.append(update)

    stream.subscribe_trade_updates(hear)
    thread = threading.Thread(target=stream.run)
    thread.start()
    try:
        until_listening(server)
        server.books.answer("POST", "/v2/orders", {}, {
            "symbol": "AAPL", "qty": "2", "side": "buy", "type": "market", "time_in_force": "day",
        })  # fmt: skip
        server.books.fill(server.books.open()[0], Decimal(1), Decimal(50))
        wait_until(lambda: len(heard) == 2, "both updates are heard")
    finally:
        stream.stop()
        thread.join()
    assert [update.event for update in heard] == ["new", "partial_fill"]
    assert (heard[1].price, heard[1].qty) == (50.0, 1.0)


# The adapter.


def test_an_order_goes_out_once_and_is_found_again(
    server: TradingServer, broker: AlpacaBroker
) -> None:
    told = broker.submit(order())
    assert (told.order.symbol, told.status) == ("BRK-B", BrokerStatus.WORKING)
    assert server.books.open()[0]["symbol"] == "BRK.B"
    with pytest.raises(DuplicateOrderError):
        broker.submit(order())
    found = broker.lookup("o1")
    assert found is not None
    assert found.order == order()
    assert broker.lookup("o2") is None
    assert [o.order.client_order_id for o in broker.open_orders()] == ["o1"]
    server.books.fill(server.books.open()[0], Decimal(4), Decimal("50.5"))
    assert broker.positions()["BRK-B"].quantity == 4
    assert broker.account().cash == Decimal("99798.0")
    broker.cancel("o1", "")
    ended = broker.lookup("o1")
    assert ended is not None
    assert [event.kind for event in ended.events()] == [
        OrderEventKind.ACCEPTED, OrderEventKind.CUMULATIVE, OrderEventKind.CANCELED,
    ]  # fmt: skip
    with pytest.raises(OrderRejectedError, match="already canceled"):
        broker.cancel("o1", ended.broker_order_id)


@pytest.mark.parametrize("fault", [Fault.RATE, Fault.RESET, Fault.GATEWAY, Fault.HANG])
def test_what_came_of_a_request_without_an_answer_is_unknown(
    server: TradingServer, broker: AlpacaBroker, fault: Fault
) -> None:
    server.books.faults.append(fault)
    with pytest.raises(OutcomeUnknownError):
        broker.submit(order())
    assert (broker.lookup("o1") is not None) == (fault in {Fault.GATEWAY, Fault.HANG})


def test_a_refusal_is_for_good(server: TradingServer, broker: AlpacaBroker) -> None:
    server.books.refuses = lambda _: "insufficient buying power"
    with pytest.raises(OrderRejectedError, match="HTTP 403: insufficient buying power"):
        broker.submit(order())
    with pytest.raises(OrderRejectedError, match="only stocks and funds"):
        broker.submit(order(symbol="^VIX"))


def test_a_state_that_we_do_not_know_counts_as_alive(
    server: TradingServer, broker: AlpacaBroker
) -> None:
    broker.submit(order())
    server.books.open()[0]["status"] = "pondering"
    found = broker.lookup("o1")
    assert found is not None
    assert (found.status, found.status.is_end) == (BrokerStatus.UNKNOWN, False)
    assert found.events()[-1].kind is OrderEventKind.UNKNOWN


def test_more_orders_than_one_answer_holds_are_all_read(
    server: TradingServer, broker: AlpacaBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.brokers.alpaca.broker.PAGE", 3)
    for number in range(8):
        broker.submit(order(f"o{number}"))
    assert [o.order.client_order_id for o in broker.open_orders()] == [f"o{n}" for n in range(8)]


def test_fractions_stay_exact_and_prices_are_sent(
    server: TradingServer, broker: AlpacaBroker
) -> None:
    fraction = Order(
        client_order_id="f", symbol="AAPL", side=Side.SELL, quantity=Decimal("0.123456789"),
        type=OrderType.LIMIT, price=Decimal("100.10"),
    )  # fmt: skip
    broker.submit(fraction)
    sent = server.books.open()[0]
    assert (sent["qty"], sent["limit_price"], sent["side"]) == ("0.123456789", "100.1", "sell")


def test_the_stream_tells_of_fills_and_says_when_it_breaks(
    server: TradingServer, broker: AlpacaBroker
) -> None:
    stream = broker.updates()
    try:
        until_listening(server)
        broker.submit(order())
        server.books.fill(server.books.open()[0], Decimal(4), Decimal("50.5"))
        heard: list[OrderUpdate] = []
        while len(heard) < 2:
            heard += stream.receive(5.0)
        fill = heard[1].events[0]
        assert (fill.kind, fill.quantity, fill.price) == (
            OrderEventKind.FILL, Decimal(4), Decimal("50.5"),
        )  # fmt: skip
        assert fill.execution_id
        server.drop_streams()
        with pytest.raises(OutcomeUnknownError, match="stream broke"):
            stream.receive(5.0)
    finally:
        stream.close()


def test_wrong_keys_are_refused_by_both(server: TradingServer) -> None:
    broker = AlpacaBroker(AlpacaClient(SecretStr("canary-id"), SecretStr("canary-key"), server.url))
    with pytest.raises(BrokerAccessError, match="refuses the keys"):
        broker.account()
    with pytest.raises(BrokerAccessError, match="refuses the keys"):
        broker.updates()


# Real money.


def test_real_money_takes_a_setting_and_the_accounts_number(server: TradingServer) -> None:
    keys = SecretStr(KEY_ID), SecretStr(SECRET)
    with pytest.raises(ParameterError, match="TRADING_ALLOW_LIVE='no' is not yes"):
        open_alpaca(*keys, LIVE_URL)
    for confirmed in (None, "PA0000000000"):
        with pytest.raises(ParameterError, match="the number of the account with real money"):
            open_alpaca(
                *keys, server.url, allow_live=True, is_live=True, confirmed_account=confirmed
            )
    opened = open_alpaca(*keys, server.url, allow_live=True, is_live=True, confirmed_account=NUMBER)
    assert opened.account().number == NUMBER
    open_alpaca(*keys, server.url).close()
    opened.close()


def test_the_key_is_nowhere(server: TradingServer, caplog: pytest.LogCaptureFixture) -> None:
    """Not in errors, whatever fails, nor in what any library logs."""
    caplog.set_level(logging.DEBUG)
    broker = AlpacaBroker(AlpacaClient(SecretStr(KEY_ID), SecretStr(SECRET), server.url, IMPATIENT))
    said = []
    for fault in (Fault.RATE, Fault.GATEWAY, Fault.HANG, Fault.RESET):
        server.books.faults.append(fault)
        with pytest.raises(OutcomeUnknownError) as caught:
            broker.submit(order(fault.value))
        error: BaseException | None = caught.value
        while error is not None:
            said += [str(error), repr(error)]
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    server.books.refuses = lambda _: f"the key {SECRET} may not do this"
    with pytest.raises(OrderRejectedError) as refused:
        broker.submit(order("refused"))
    broker.updates().close()
    said += [str(refused.value), caplog.text, repr(broker), repr(vars(broker))]
    assert SECRET not in "\n".join(said)
