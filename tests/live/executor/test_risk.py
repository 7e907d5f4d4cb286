"""Halts, limits and denials: the right code, once, in the ledger; halted only when it is true."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from database.connection import Database, open_database
from database.orders.accounts import only_executor
from database.orders.audit import audit_trail
from database.orders.equity import equity_between
from database.orders.risk import halt, read_risk, resume
from live.executor.executor import Executor
from tests.adapters.alpaca_trading import Fault, TradingBooks
from tests.live.executor.alpaca import Side
from tests.live.executor.test_crashes import KilledError, kill_at
from tests.live.executor.world import (
    Clock,
    World,
    bar_event,
    hours_of,
    moment,
    policy_of,
    signal_event,
    store_bar,
)
from tests.trading.backtest.markets import HOUR, START
from trading.errors import ParameterError
from trading.execution.hours import TradingHours
from trading.instruments.calendar import sessions
from trading.portfolio.ledger import deposit
from trading.risk.limits import Code, RiskLimits, TradingState


def paper_world(database: Database, **changed: Any) -> World:
    return World(database, policy_of("p", ["AAPL"], **changed), hours_of(20), Clock(START))


def alpaca_world(database: Database, **changed: Any) -> tuple[World, Side]:
    clock = Clock(START)
    side = Side(TradingBooks(clock, cash=Decimal(10_000)))
    world = World(database, policy_of("a", ["AAPL"], **changed), hours_of(20), clock, side.broker)
    return world, side


def see(
    world: World,
    executor: Executor,
    row: int,
    price: float = 100.0,
    *,
    signal: str | None = None,
    delay: float = 0.0,
) -> None:
    ts = START + row // 7 * 24 * HOUR + row % 7 * HOUR
    world.clock.at = ts + HOUR + int(delay * 1e9)
    bar = bar_event("AAPL", ts, (price, price, price, price, 1e6))
    store_bar(world.database, bar)
    executor.handle([bar], [signal_event("AAPL", ts, signal, price)] if signal else [])


def codes(database: Database) -> list[str]:
    """The codes of all denials, one for each."""
    found = database.rows.execute("SELECT code FROM order_event WHERE kind = 'denied' ORDER BY id")
    return [code for (code,) in found.fetchall()]


def names(database: Database) -> int:
    row = database.rows.execute("SELECT count(*) FROM intent").fetchone()
    assert row is not None
    return int(row[0])


# The gate.


def test_a_denied_entry_is_in_the_ledger_once_and_not_sent_again_each_bar(
    database: Database,
) -> None:
    world = paper_world(database, limits=RiskLimits(max_order=Decimal(500)))
    executor = world.executor()
    for row in range(4):
        see(world, executor, row, signal="buy")
    executor = world.executor()
    see(world, executor, 4, signal="buy")
    assert codes(database) == [Code.MAX_ORDER]
    assert names(database) == 1


def test_a_signal_older_than_a_bar_does_not_trade(database: Database) -> None:
    world = paper_world(database)
    executor = world.executor()
    see(world, executor, 0, signal="buy", delay=3601)
    assert codes(database) == [Code.STALE_PRICE]
    see(world, executor, 1, signal="sell")
    see(world, executor, 2, signal="buy", delay=3599)
    assert codes(database) == [Code.STALE_PRICE]
    assert names(database) == 2


def test_without_a_bar_of_the_symbol_there_is_no_price(database: Database) -> None:
    world = paper_world(database)
    executor = world.executor()
    world.clock.at = START + HOUR
    executor.handle([], [signal_event("AAPL", START, "buy", 100.0)])
    assert names(database) == 0  # it waits for its bar
    world.clock.tick(3601)
    executor.tick()
    assert codes(database) == [Code.NO_PRICE]


@pytest.mark.parametrize(
    ("when", "taken"),
    [
        # Thanksgiving, and the day after, which closes at 13:00.
        ("2024-11-28T12:00-05:00", False),
        ("2024-11-29T12:59-05:00", True),
        # A decision of the last bar is made within an hour of the close, for the next open.
        ("2024-11-29T13:30-05:00", True),
        ("2024-11-29T14:01-05:00", False),
        # The Mondays after the clocks changed: 09:29 and 09:30 in New York.
        ("2024-03-11T09:29-04:00", False),
        ("2024-03-11T09:30-04:00", True),
        ("2024-11-04T09:29-05:00", False),
        ("2024-11-04T09:30-05:00", True),
        ("2024-11-02T12:00-04:00", False),
    ],
)
def test_orders_are_taken_when_the_exchange_trades(
    database: Database,
    when: str,
    taken: bool,  # noqa: FBT001
) -> None:
    hours = TradingHours.of(sessions(date(2024, 1, 1), date(2024, 12, 31)))
    world = replace(paper_world(database), hours=hours)
    now = int(datetime.fromisoformat(when).timestamp()) * 10**9
    world.clock.at = now
    executor = world.executor()
    ts = now - HOUR
    executor.handle(
        [bar_event("AAPL", ts, (100.0, 100.0, 100.0, 100.0, 1e6))],
        [signal_event("AAPL", ts, "buy", 100.0)],
    )
    assert codes(database) == ([] if taken else [Code.MARKET_CLOSED])


def test_while_the_books_do_not_agree_nothing_is_sent(database: Database) -> None:
    world, side = alpaca_world(database)
    executor = world.executor()
    assert side.wire is not None
    side.wire.break_off()
    side.is_down = True
    executor.receive()
    assert executor.reconciling
    see(world, executor, 0, signal="buy")
    assert side.theirs.posted == []
    side.is_down = False
    world.clock.tick(60)
    executor.tick()
    assert len(side.theirs.posted) == 1  # still within the bar


def test_a_signal_that_waited_too_long_for_the_books_is_denied(database: Database) -> None:
    world, side = alpaca_world(database)
    side.is_down = True
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    world.clock.tick(3601)
    executor.tick()
    assert codes(database) == [Code.RECONCILING]
    assert side.theirs.posted == []


def test_an_exit_that_was_denied_is_tried_again_at_the_next_bar(database: Database) -> None:
    world = paper_world(database)
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    see(world, executor, 1)
    see(world, executor, 2, signal="sell", delay=3700)
    assert codes(database) == [Code.STALE_PRICE]
    see(world, executor, 3, signal="hold")
    see(world, executor, 4)
    assert executor.books.held("AAPL") == 0


# The watch.


def test_a_drawdown_at_the_limit_halts_closes_and_stays(database: Database) -> None:
    world = paper_world(database, limits=RiskLimits(max_drawdown=Decimal("0.1")))
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    see(world, executor, 1)
    see(world, executor, 2, 90.0)  # 10 % of the equity, exactly the limit
    risk = read_risk(database, "p")
    assert (risk.state, risk.memory.reason, risk.shown) == (
        TradingState.HALTED, "drawdown", "HALTING",
    )  # fmt: skip
    see(world, executor, 3, 90.0)
    assert executor.books.held("AAPL") == 0
    executor.tick()
    assert read_risk(database, "p").shown == "HALTED"
    assert world.halted == ["drawdown"]
    executor = world.executor()
    see(world, executor, 4, 95.0, signal="sell")
    see(world, executor, 5, 95.0, signal="buy")
    assert codes(database) == [Code.TRADING_HALTED]
    resume(database, "p", who="a person", why="looked at")
    executor.tick()
    see(world, executor, 6, 95.0, signal="sell")
    see(world, executor, 7, 95.0, signal="buy")
    see(world, executor, 8, 95.0)
    assert executor.books.held("AAPL") > 0
    assert [entry.action for entry in audit_trail(database, "p")] == ["resume", "halted", "halted"]


def test_a_days_loss_lets_only_reductions_pass_until_the_next_session(database: Database) -> None:
    limits = RiskLimits(max_daily_loss=Decimal("0.03"))
    world = paper_world(database, limits=limits, allocation=Decimal("0.5"))
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    see(world, executor, 1)
    for row in range(2, 7):
        see(world, executor, row)
    see(world, executor, 7, 93.0)
    assert read_risk(database, "p").state is TradingState.REDUCING
    see(world, executor, 8, 93.0, signal="sell")
    see(world, executor, 9, 93.0, signal="buy")
    assert executor.books.held("AAPL") == 0
    assert codes(database) == [Code.REDUCING_WOULD_INCREASE]
    see(world, executor, 14, 93.0)
    assert read_risk(database, "p").state is TradingState.ACTIVE


def test_a_deposit_is_no_gain_to_the_drawdown(database: Database) -> None:
    world = paper_world(database, limits=RiskLimits(max_drawdown=Decimal("0.1")))
    executor = world.executor()
    see(world, executor, 0, signal="buy")
    see(world, executor, 1)
    see(world, executor, 2, 95.0)
    executor.books.book(deposit(world.clock.at, 50_000 * 10**9), "more")
    see(world, executor, 3, 95.0)
    points = equity_between(database, "p", moment(START), moment(START + 9 * HOUR))
    assert [round(point.drawdown, 6) for point in points] == [0, 0, 0.05, 0.05]
    assert read_risk(database, "p").state is TradingState.ACTIVE


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
    assert world.halted == ["too hot"]


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
    assert world.halted == ["wait"]


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


def test_fractions_are_floored_to_the_increment(database: Database) -> None:
    world, side = alpaca_world(database, increments={"AAPL": Decimal("0.001")})
    executor = world.executor()
    see(world, executor, 0, price=333.33, signal="buy")
    assert [order["qty"] for order in side.theirs.orders.values()] == ["30"]
    assert Decimal(10_000) / Decimal("333.33") - 30 < Decimal("0.001")
    see(world, executor, 1, price=333.33, signal="sell")
    see(world, executor, 2, price=301.17, signal="buy")
    assert [order["qty"] for order in side.theirs.orders.values()][-1] == "33.203"
