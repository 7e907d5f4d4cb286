"""A process that is killed between any two steps leaves one order, not none and not two."""

from __future__ import annotations

from decimal import Decimal

import pytest

from database.connection import Database
from database.orders.ledger import read_ledger
from live.executor.executor import Executor
from tests.adapters.alpaca_trading import Fault, TradingBooks
from tests.live.executor.alpaca import Side
from tests.live.executor.world import (
    Clock,
    World,
    bar_event,
    hours_of,
    policy_of,
    signal_event,
    store_bar,
)
from tests.trading.backtest.markets import HOUR, START
from trading.portfolio.ledger import EventKind

STEPS = ("decided", "intent committed", "request sent", "answer recorded")

FLAT = (100.0, 100.0, 100.0, 100.0, 1e6)


class KilledError(BaseException):
    """The process is gone."""


def world_of(database: Database, name: str = "a", **changed: object) -> tuple[World, Side]:
    clock = Clock(START)
    side = Side(TradingBooks(clock, cash=Decimal(10_000)))
    policy = policy_of(name, ["AAPL"], **changed)
    return World(database, policy, hours_of(10), clock, side.broker), side


def kill_at(world: World, step: str) -> None:
    def at_step(name: str) -> None:
        if name == step:
            world.at_step = lambda _: None
            raise KilledError

    world.at_step = at_step


def see(world: World, executor: Executor, row: int, signal: str | None = None) -> None:
    """Have one bar, and perhaps its signal, come as it closes."""
    ts = START + row * HOUR
    world.clock.at = max(world.clock.at, ts + HOUR)
    bar = bar_event("AAPL", ts, FLAT)
    store_bar(world.database, bar)
    executor.handle([bar], [signal_event("AAPL", ts, signal, 100.0)] if signal else [])


# After a lost reply there is no step at which the request is known to be sent.
CASES = [
    *((step, Fault.NONE) for step in STEPS),
    *((step, Fault.REPLY_LOST) for step in STEPS if step != "request sent"),
]


@pytest.mark.parametrize(("step", "fault"), CASES)
def test_a_kill_at_any_step_leaves_one_order(database: Database, step: str, fault: Fault) -> None:
    world, side = world_of(database)
    executor = world.executor()
    kill_at(world, step)
    if fault is not Fault.NONE:
        side.theirs.faults.extend([fault])
    with pytest.raises(KilledError):
        see(world, executor, 0, "buy")
    # The supervisor starts it again, three times even, and the bus tells of the bar again.
    for _ in range(3):
        executor = world.executor()
        see(world, executor, 0, "buy")
        executor.tick()
    assert [o["qty"] for o in side.theirs.orders.values()] == ["100"]
    side.fill_all("100")
    executor.receive()
    assert fills(database) == [100]
    executor = world.executor()
    assert not executor.reconciling
    assert fills(database) == [100]
    assert executor.books.held("AAPL") == 100


def test_a_kill_while_fills_are_booked_books_each_once(database: Database) -> None:
    world, side = world_of(database)
    executor = world.executor()
    see(world, executor, 0, "buy")
    executor.receive()
    order = side.theirs.open()[0]
    side.theirs.fill(order, Decimal(40), Decimal(100))
    kill_at(world, "answer recorded")
    with pytest.raises(KilledError):
        executor.receive()
    side.theirs.fill(order, Decimal(60), Decimal(101))
    executor = world.executor()
    # The fill that came while nobody listened is known by what is filled in all.
    assert fills(database) == [40, 60]
    assert cash(database) == side.theirs.cash
    assert executor.books.held("AAPL") == 100


def test_a_kill_on_paper_between_matching_and_booking_fills_once(database: Database) -> None:
    world = World(database, policy_of("p", ["AAPL"]), hours_of(10), Clock(START))
    executor = world.executor()
    see(world, executor, 0, "buy")
    kill_at(world, "bar matched")
    with pytest.raises(KilledError):
        see(world, executor, 1)
    for _ in range(3):
        executor = world.executor()
        see(world, executor, 1)
    assert fills(database) == [100]


def test_a_decision_older_than_a_bar_is_not_sent_after_a_restart(database: Database) -> None:
    world, side = world_of(database)
    executor = world.executor()
    kill_at(world, "intent committed")
    with pytest.raises(KilledError):
        see(world, executor, 0, "buy")
    world.clock.at += HOUR + 1_000_000_000
    executor = world.executor()
    assert side.theirs.posted == []
    assert states(database) == ["REJECTED"]
    assert reasons(database) == ["LOST"]
    assert not executor.reconciling


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.RATE])
def test_an_order_that_never_got_there_is_sent_again_under_its_name(
    database: Database, fault: Fault
) -> None:
    world, side = world_of(database)
    executor = world.executor()
    side.theirs.faults.append(fault)
    see(world, executor, 0, "buy")
    assert side.theirs.orders == {}
    world.clock.tick(5)
    executor.tick()
    assert [o["status"] for o in side.theirs.orders.values()] == ["new"]
    assert len(set(side.theirs.posted)) == 1


@pytest.mark.parametrize("fault", [Fault.REPLY_LOST, Fault.HANG, Fault.GATEWAY])
def test_an_order_that_got_there_without_an_answer_is_looked_up_not_sent_again(
    database: Database, fault: Fault
) -> None:
    world, side = world_of(database)
    executor = world.executor()
    side.theirs.faults.append(fault)
    see(world, executor, 0, "buy")
    executor.tick()
    assert len(side.theirs.posted) == 1
    assert states(database) == ["ACCEPTED"]


def test_an_order_is_lost_after_three_sendings_and_found_again_if_it_was_not(
    database: Database,
) -> None:
    world, side = world_of(database)
    executor = world.executor()
    side.theirs.loses_posts = True
    see(world, executor, 0, "buy")
    for _ in range(4):
        world.clock.tick(10)
        executor.tick()
    assert states(database) == ["REJECTED"]
    name = database.rows.execute("SELECT client_order_id FROM intent").fetchone()
    assert name is not None
    body = {
        "symbol": "AAPL", "qty": "100", "side": "buy", "type": "market", "time_in_force": "day",
        "client_order_id": name[0],
    }  # fmt: skip
    side.theirs.answer("POST", "/v2/orders", {}, body)
    side.fill_all("100")
    executor.receive()
    assert states(database) == ["FILLED"]
    assert fills(database) == [100]


def fills(database: Database) -> list[int]:
    ledger = read_ledger(database, account_of(database))
    return [event.quantity // 10**9 for event in ledger if event.kind is EventKind.FILL]


def cash(database: Database) -> Decimal:
    row = database.rows.execute(
        "SELECT 10000 - coalesce(sum(quantity * price + fee), 0) FROM execution"
    ).fetchone()
    assert row is not None
    return Decimal(row[0])


def account_of(database: Database) -> str:
    row = database.rows.execute("SELECT id FROM account").fetchone()
    assert row is not None
    return str(row[0])


def states(database: Database) -> list[str]:
    return [
        state
        for (state,) in database.rows.execute(
            "SELECT DISTINCT ON (client_order_id) state FROM order_event "
            "ORDER BY client_order_id, id DESC"
        ).fetchall()
    ]


def reasons(database: Database) -> list[str]:
    return [
        reason
        for (reason,) in database.rows.execute(
            "SELECT reason FROM order_event WHERE kind = 'rejected'"
        ).fetchall()
    ]
