"""The kill switch and races: halted only when it is true, and the position is right."""

from __future__ import annotations

from decimal import Decimal

import pytest

from database.connection import Database, open_database
from database.orders.accounts import only_executor
from database.orders.risk import halt, read_risk, resume
from live.executor.executor import Executor
from tests.adapters.alpaca_trading import Fault
from tests.live.executor.alpaca import Side
from tests.live.executor.risk.worlds import alpaca_world, see
from tests.live.executor.test_crashes import KilledError, kill_at
from tests.live.executor.world import World
from trading.errors import ParameterError

# The kill switch.


def with_position(world: World, side: Side) -> Executor:
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    side.fill_all("100")
    executor.receive()
    assert executor.books.held("AAPL") == 100
    return executor


def test_the_kill_switch_is_durable_before_anything_is_cancelled(database: Database) -> None:
    world, side = alpaca_world(database)
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    halt(database, "a", who="me", why="too hot", closes_positions=True)
    # The broker is gone: the latch holds, and nothing says that it is done.
    side.theirs.faults.extend([Fault.RESET] * 100)
    for _ in range(3):
        world.clock.tick(10)
        executor.tick()
        executor = world.executor()
    assert read_risk(database, "a").shown == "HALTING"
    assert len(side.theirs.open()) == 1
    see(world, executor, 1, signal="sell")
    side.theirs.faults.clear()
    for _ in range(4):
        world.clock.tick(40)
        executor.receive()
        executor.tick()
    assert side.theirs.open() == []
    assert read_risk(database, "a").shown == "HALTED"
    assert world.halted == ["Account a is HALTED: too hot."]


def test_the_kill_switch_says_halted_only_when_the_broker_is_flat(database: Database) -> None:
    world, side = alpaca_world(database)
    executor = with_position(world, side)
    halt(database, "a", who="me", why="stop", closes_positions=True)
    executor.tick()
    assert [order["side"] for order in side.theirs.open()] == ["sell"]
    # It cannot close: the order ends unfilled, and another one is sent.
    side.theirs.end(side.theirs.open()[0], "expired")
    world.clock.tick(10)
    executor.receive()
    executor.tick()
    assert len(side.theirs.open()) == 1
    assert read_risk(database, "a").shown == "HALTING"
    side.theirs.fill(side.theirs.open()[0], Decimal(60), Decimal(99))
    executor.receive()
    executor.tick()
    assert read_risk(database, "a").shown == "HALTING"
    executor = world.executor()
    side.fill_all("99")
    world.clock.tick(10)
    executor.receive()
    executor.tick()
    assert read_risk(database, "a").shown == "HALTED"
    assert side.theirs.positions["AAPL"] == 0
    executor = world.executor()
    assert read_risk(database, "a").shown == "HALTED"


def close_in_vain(world: World, side: Side, executor: Executor) -> None:
    """Let closing orders end unfilled, so that others follow."""
    for _ in range(6):
        world.clock.tick(40)
        executor.tick()
        executor.receive()
        for order in side.theirs.open():
            side.theirs.end(order, "expired")


def test_a_kill_of_the_process_within_the_kill_switch_goes_on_after_it(
    database: Database,
) -> None:
    world, side = alpaca_world(database)
    executor = with_position(world, side)
    halt(database, "a", who="me", why="stop", closes_positions=True)
    for step in ("intent committed", "request sent", "answer recorded"):
        kill_at(world, step)
        with pytest.raises(KilledError):
            close_in_vain(world, side, executor)
        executor = world.executor()
    executor.tick()
    assert len(side.theirs.open()) == 1
    side.fill_all("98")
    executor.receive()
    executor.tick()
    assert read_risk(database, "a").shown == "HALTED"
    assert side.theirs.positions["AAPL"] == 0


def test_a_halt_without_closing_keeps_positions(database: Database) -> None:
    world, side = alpaca_world(database)
    executor = with_position(world, side)
    halt(database, "a", who="me", why="wait", closes_positions=False)
    executor.tick()
    assert read_risk(database, "a").shown == "HALTED"
    assert side.theirs.positions["AAPL"] == 100
    assert world.halted == ["Account a is HALTED: wait."]


def test_what_is_still_being_halted_is_not_resumed(database: Database) -> None:
    world, side = alpaca_world(database)
    side.theirs.slow_cancels = True
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    halt(database, "a", who="me", why="wait", closes_positions=False)
    executor.tick()
    with pytest.raises(ParameterError, match="still being cancelled; wait until"):
        resume(database, "a", who="me", why="go")
    side.theirs.settle_cancels()
    executor.receive()
    executor.tick()
    resume(database, "a", who="me", why="go")
    with pytest.raises(ParameterError, match="there is nothing to resume"):
        resume(database, "a", who="me", why="go")


# Races.


def test_a_fill_that_races_its_cancel_leaves_the_right_position(database: Database) -> None:
    world, side = alpaca_world(database)
    side.theirs.slow_cancels = True
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    see(world, executor, 1, signal="sell")  # cancels, and waits for the end
    assert [order["status"] for order in side.theirs.open()] == ["pending_cancel"]
    side.fill_all("100")
    executor.receive()
    # The whole order had filled: so the sale is of what is there.
    assert [(o["side"], o["qty"]) for o in side.theirs.open()] == [("sell", "100")]
    side.fill_all("101")
    executor.receive()
    assert executor.books.held("AAPL") == 0


def test_a_flip_waits_for_the_cancel_and_goes_through_zero(database: Database) -> None:
    world, side = alpaca_world(database, allow_short=True)
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    side.theirs.fill(side.theirs.open()[0], Decimal(30), Decimal(100))
    executor.receive()
    see(world, executor, 1, signal="sell")
    assert [(o["side"], o["qty"]) for o in side.theirs.open()] == [("sell", "130")]
    side.fill_all("100")
    executor.receive()
    assert executor.books.held("AAPL") == -100


def test_two_executors_of_one_account_there_are_not(database: Database, database_url: str) -> None:
    with only_executor(database, "p") as first, open_database(database_url) as other:
        assert first
        with only_executor(other, "p") as second, only_executor(other, "q") as third:
            assert (second, third) == (False, True)
    with open_database(database_url) as other, only_executor(other, "p") as second:
        assert second
