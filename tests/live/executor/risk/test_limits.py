"""Limits and denials: the right code, once, in the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from database.connection import Database
from database.orders.audit import audit_trail
from database.orders.equity import equity_between
from database.orders.risk import read_risk, resume
from tests.live.executor.risk.worlds import alpaca_world, paper_world, see
from tests.live.executor.world import bar_event, moment, signal_event
from tests.trading.backtest.markets import HOUR, START
from trading.execution.hours import TradingHours
from trading.instruments.calendar import sessions
from trading.portfolio.ledger import deposit
from trading.risk.limits import Code, RiskLimits, TradingState


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


def test_fractions_are_floored_to_the_increment(database: Database) -> None:
    world, side = alpaca_world(database, increments={"AAPL": Decimal("0.001")})
    executor = world.executor()
    see(world, executor, 0, price=333.33, signal="buy")
    assert [order["qty"] for order in side.theirs.orders.values()] == ["30"]
    assert Decimal(10_000) / Decimal("333.33") - 30 < Decimal("0.001")
    see(world, executor, 1, price=333.33, signal="sell")
    see(world, executor, 2, price=301.17, signal="buy")
    assert [order["qty"] for order in side.theirs.orders.values()][-1] == "33.203"


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
    assert world.halted == ["Account p is HALTED: drawdown."]
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
