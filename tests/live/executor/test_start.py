"""A start with much to catch up on: right, and with few waits for the disk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from database.connection import Database
from database.orders.events import record_events, record_intent
from database.orders.standing import last_prices
from live.executor.executor import Executor
from tests.adapters.alpaca_trading import TradingBooks
from tests.live.executor.alpaca import Side
from tests.live.executor.world import Clock, World, hours_of, policy_of
from tests.trading.backtest.markets import HOUR, START
from trading.execution.intent import Intent
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.model import Order, OrderType
from trading.orders.model import Side as OrderSide

OPEN = 60


def test_what_happened_to_all_orders_meanwhile_is_written_together(database: Database) -> None:
    clock = Clock(START + HOUR)
    side = Side(TradingBooks(clock, cash=Decimal(100_000)))
    world = World(database, policy_of("a", ["AAPL"]), hours_of(10), clock, side.broker)
    world.executor().close()
    write_orders(world, side, OPEN)
    for order in side.theirs.open():
        side.theirs.fill(order, Decimal(1), Decimal(50))
    before = newest_transaction(database)
    executor = world.executor()
    # The comparison's beginning and end, and all fills between them.
    assert newest_transaction(database) - before <= 5
    assert executor.books.held("AAPL") == OPEN
    assert not executor.reconciling
    assert not adjustments(database)
    assert_agrees(executor, side)


def write_orders(world: World, side: Side, count: int) -> None:
    """Orders that both sides know, as an executor left them."""
    with world.database.transaction() as connection:
        for number in range(count):
            order = Order(
                client_order_id=f"o{number}", symbol="AAPL", side=OrderSide.BUY,
                quantity=Decimal(2), type=OrderType.LIMIT, price=Decimal(60), strategy="given",
            )  # fmt: skip
            intent = Intent(
                account="a", order=order, interval="1h", bar=START, created_at=world.clock()
            )
            kinds = (OrderEventKind.INITIALIZED, OrderEventKind.SUBMITTED, OrderEventKind.ACCEPTED)
            events = [OrderEvent(kind=kind, at=world.clock()) for kind in kinds]
            record_events(connection, record_intent(connection, intent, events[:2]), events[2:])
            body = {
                "symbol": "AAPL", "qty": "2", "side": "buy", "type": "limit", "limit_price": "60",
                "time_in_force": "day", "client_order_id": order.client_order_id,
            }  # fmt: skip
            side.theirs.answer("POST", "/v2/orders", {}, body)


def newest_transaction(database: Database) -> int:
    """Only transactions that write have a number, and each waits for the disk."""
    row = database.rows.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    assert row is not None
    return int(row[0])


def adjustments(database: Database) -> Sequence[object]:
    return database.rows.execute("SELECT * FROM ledger_event WHERE kind = 'adjustment'").fetchall()


def assert_agrees(executor: Executor, side: Side) -> None:
    working = executor.books.desk.working
    assert {name: order.status.filled for name, order in working.items()} == {
        order["client_order_id"]: Decimal(order["filled_qty"]) for order in side.theirs.open()
    }


def test_the_last_price_is_that_of_the_newest_bar_of_any_interval(database: Database) -> None:
    at = datetime(2024, 1, 2, 15, tzinfo=UTC)
    for symbol, interval, minutes, close in (
        ("AAPL", "1m", 0, 1.0), ("AAPL", "1m", 1, 2.0), ("AAPL", "5m", 1, 3.0),
        ("AAPL", "5m", 0, 4.0), ("MSFT", "1h", 0, 5.0),
    ):  # fmt: skip
        start = at + timedelta(minutes=minutes)
        length = {"1m": 1, "5m": 5, "1h": 60}[interval]
        database.rows.execute(
            "INSERT INTO live_bar (symbol, interval, ts, open, high, low, close, volume, revision, "
            "available_at) VALUES (%s, %s, %s, 1, 1, 1, %s, 1, 0, %s)",
            [symbol, interval, start, close, start + timedelta(minutes=length)],
        )
    found = last_prices(database, ["MSFT", "AAPL", "KO"])
    assert {name: price.close for name, price in found.items()} == {"AAPL": 3.0, "MSFT": 5.0}
    assert found["AAPL"].known_at == at + timedelta(minutes=6)
    assert last_prices(database, ["AAPL"], "1m")["AAPL"].close == 2.0
