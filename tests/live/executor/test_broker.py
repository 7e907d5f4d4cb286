"""What a broker may do that ours must bear: words of its own, a wrong clock, an outage."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from database.connection import Database
from database.orders.risk import read_risk
from tests.adapters.alpaca_trading import TradingBooks
from tests.live.executor.alpaca import Side
from tests.live.executor.test_crashes import see, states, world_of
from tests.live.executor.test_start import adjustments
from tests.live.executor.world import Clock, World, hours_of, policy_of
from tests.trading.backtest.markets import START
from trading.orders.model import Side as OrderSide
from trading.portfolio.ledger import EventKind
from trading.risk.limits import TradingState


def test_an_order_in_a_state_that_we_do_not_know_works_on_and_is_told_once(
    database: Database,
) -> None:
    world, side = world_of(database)
    executor = world.executor()
    see(world, executor, 0, "buy")
    executor.receive()
    [order] = side.theirs.open()
    side.theirs.puzzle(order)
    executor.receive()
    executor.reconcile("schedule")
    [tracked] = executor.books.desk.working.values()
    # It may fill, so it counts against the limits, and so it does after a restart.
    assert executor.books.desk.exposure("AAPL").worst == 100 * 10**9
    told = (
        f"Order {tracked.name} of AAPL is in a state of the broker's that we do not know, and "
        "counts as alive (UNKNOWN_STATE)."
    )
    assert world.flagged == [told]
    executor = world.executor()
    assert not executor.reconciling
    assert world.flagged == [told]
    # It is cancelled before an order the other way is made, or, as here, fills.
    side.theirs.fill(order, Decimal(100), Decimal(100))
    executor.receive()
    assert states(database) == ["FILLED"]
    assert executor.books.held("AAPL") == 100


@pytest.mark.parametrize("skew", [-30, 30])
def test_a_clock_that_is_off_changes_no_order_of_events(database: Database, skew: int) -> None:
    clock = Clock(START)
    side = Side(
        TradingBooks(clock, skew=timedelta(seconds=skew), cash=Decimal(10_000), slow_cancels=True)
    )
    world = World(database, policy_of("a", ["AAPL"]), hours_of(10), clock, side.broker)
    executor = world.executor()
    see(world, executor, 0, "buy")
    executor.receive()
    [order] = side.theirs.open()
    side.theirs.fill(order, Decimal(40), Decimal(100))
    # Cancelled by our clock 30 seconds before it was sent by theirs, or after.
    see(world, executor, 1, "sell")
    executor.receive()
    assert states(database) == ["PENDING_CANCEL"]
    side.theirs.settle_cancels()
    executor.receive()
    assert world.flagged == []
    [closing] = side.theirs.open()
    assert (closing["side"], closing["qty"]) == ("sell", "40")
    side.theirs.fill(closing, Decimal(40), Decimal(101))
    executor.receive()
    executor = world.executor()
    assert not executor.reconciling
    assert not adjustments(database)
    assert sorted(states(database)) == ["CANCELED", "FILLED"]
    assert executor.books.held("AAPL") == 0


def test_a_broker_that_is_down_at_the_start_costs_the_account_nothing(database: Database) -> None:
    world, side = world_of(database)
    side.is_down = side.theirs.is_down = True
    executor = world.executor()
    see(world, executor, 0, "buy")
    # No money is known of; that is no loss of all money.
    assert read_risk(database, "a").state is TradingState.ACTIVE
    side.is_down = side.theirs.is_down = False
    world.clock.tick(60)
    executor.tick()
    assert not executor.reconciling
    assert [event.kind for event in executor.books.ledger] == [EventKind.DEPOSIT]
    assert [o["qty"] for o in side.theirs.open()] == ["100"]  # still within the bar


def test_a_broker_that_is_restarted_is_asked_what_was_missed(database: Database) -> None:
    world, side = world_of(database)
    executor = world.executor()
    see(world, executor, 0, "buy")
    assert side.wire is not None
    side.wire.close()
    side.wire.break_off()
    side.is_down = side.theirs.is_down = True
    executor.receive()
    assert executor.reconciling
    side.fill_all("100")
    see(world, executor, 1, "sell")
    assert len(side.theirs.posted) == 1
    side.is_down = side.theirs.is_down = False
    world.clock.tick(60)
    executor.tick()
    [closing] = side.theirs.open()
    assert (closing["side"], closing["qty"]) == ("sell", "100")
    assert not adjustments(database)


def test_a_broker_that_refuses_an_order_is_not_asked_again(database: Database) -> None:
    world, side = world_of(database)
    side.theirs.refuses = lambda _: "insufficient buying power"
    executor = world.executor()
    for row in range(3):
        see(world, executor, row, "buy")
        executor.tick()
    assert len(side.theirs.posted) == 1
    assert states(database) == ["REJECTED"]
    [order] = [executor.books.order(name) for name in executor.books.desk.names]
    assert order is not None
    assert order.status.reason == "HTTP 403: insufficient buying power"
    assert order.intent.order.side is OrderSide.BUY
