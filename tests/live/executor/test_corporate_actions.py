"""Splits and dividends on paper: booked at the symbol's first bar of the session, once."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Self

import psycopg
import pytest
from psycopg.rows import TupleRow

from database.actions import replace_actions
from database.connection import Database
from database.orders.ledger import read_ledger
from database.orders.risk import read_risk
from live.executor.executor import Executor
from tests.live.executor.test_crashes import states
from tests.live.executor.world import (
    DAY,
    Clock,
    World,
    bar_event,
    hours_of,
    policy_of,
    signal_event,
    store_bar,
)
from tests.trading.backtest.markets import HOUR, START
from trading.instruments.actions import ActionKind, CorporateAction
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind
from trading.risk.limits import RiskLimits, TradingState
from trading.units import to_dollars

SECOND_DAY = date(2024, 1, 3)
SPLIT = CorporateAction(symbol="AAPL", kind=ActionKind.SPLIT, ex_date=SECOND_DAY, value=4.0)
DIVIDEND = CorporateAction(symbol="AAPL", kind=ActionKind.DIVIDEND, ex_date=SECOND_DAY, value=0.5)


@pytest.fixture
def world(database: Database) -> World:
    limits = RiskLimits(max_drawdown=Decimal("0.3"), max_daily_loss=Decimal("0.2"))
    policy = policy_of("p", ["AAPL", "MSFT"], limits=limits, allocation=Decimal(1))
    return World(database, policy, hours_of(10), Clock(START))


def see(
    world: World, executor: Executor, day: int, row: int, price: float, *,
    signal: str | None = None, symbol: str = "AAPL",
) -> None:  # fmt: skip
    """Have one bar of a day close, and perhaps its signal come."""
    ts = START + day * DAY + row * HOUR
    world.clock.at = max(world.clock.at, ts + HOUR)
    bar = bar_event(symbol, ts, (price, price, price, price, 1e6))
    store_bar(world.database, bar)
    executor.handle([bar], [signal_event(symbol, ts, signal, price)] if signal else [])
    executor.tick()


def holding(world: World, executor: Executor) -> Executor:
    """Buy 100 shares at 100 on the first day."""
    see(world, executor, 0, 0, 100.0, signal="buy")
    see(world, executor, 0, 1, 100.0)
    assert executor.books.held("AAPL") == 100
    return executor


def test_a_split_and_its_days_dividend_leave_equity_as_it_was_but_for_the_cash(
    world: World, database: Database
) -> None:
    replace_actions(database, [DIVIDEND, SPLIT])
    executor = holding(world, world.executor())
    # Another symbol's bar comes first: until its own, AAPL's shares and price are the old ones.
    see(world, executor, 1, 0, 50.0, symbol="MSFT")
    assert executor.books.held("AAPL") == 100
    for _ in range(3):
        see(world, executor, 1, 0, 25.0)
        assert executor.books.held("AAPL") == 400
        executor = world.executor()
        assert not executor.reconciling
    account = executor.books.desk.account
    assert to_dollars(account.equity) == 10_200
    assert to_dollars(account.cash) == 200
    assert to_dollars(account.realized) == 200
    assert account.equity - account.deposits == account.realized + account.unrealized
    kinds = [event.kind for event in read_ledger(database, "p")]
    assert kinds == [EventKind.DEPOSIT, EventKind.FILL, EventKind.SPLIT, EventKind.DIVIDEND]
    assert read_risk(database, "p").state is TradingState.ACTIVE
    # All of it is sold again, and the dividend was no deposit.
    see(world, executor, 1, 1, 25.0, signal="sell")
    see(world, executor, 1, 2, 25.0)
    assert Account.of(read_ledger(database, "p")).open == {}
    assert executor.books.desk.account.deposits == account.deposits


def test_a_fraction_of_a_share_is_paid_in_cash(world: World, database: Database) -> None:
    replace_actions(database, [CorporateAction(
        symbol="AAPL", kind=ActionKind.SPLIT, ex_date=SECOND_DAY, value=1 / 3
    )])  # fmt: skip
    executor = holding(world, world.executor())
    see(world, executor, 1, 0, 300.0)
    assert executor.books.held("AAPL") == 33
    account = executor.books.desk.account
    assert to_dollars(account.cash) == 100
    assert to_dollars(account.equity) == 10_000
    assert not world.executor().reconciling


def test_an_order_from_before_a_split_ends(world: World, database: Database) -> None:
    replace_actions(database, [SPLIT])
    executor = world.executor()
    see(world, executor, 0, 6, 100.0, signal="buy")  # it would fill at the next session's open
    see(world, executor, 1, 0, 25.0)
    assert states(database) == ["CANCELED"]
    assert executor.books.desk.account.open == {}
    # One of this session is of new shares, also for a process that begins after it.
    see(world, executor, 1, 1, 25.0, signal="sell")
    see(world, executor, 1, 2, 25.0, signal="buy")
    executor = world.executor()
    see(world, executor, 1, 3, 25.0)
    assert executor.books.held("AAPL") == 400


def test_what_was_bought_since_has_no_part(world: World, database: Database) -> None:
    executor = world.executor()
    see(world, executor, 1, 0, 25.0, signal="buy")
    see(world, executor, 1, 1, 25.0)
    replace_actions(database, [SPLIT, DIVIDEND])
    executor = world.executor()
    see(world, executor, 1, 2, 25.0)
    see(world, executor, 2, 0, 25.0)
    assert executor.books.held("AAPL") == 400
    assert [e.kind for e in read_ledger(database, "p")] == [EventKind.DEPOSIT, EventKind.FILL]


def test_one_that_is_known_a_day_late_is_booked_where_nothing_was_traded_since(
    world: World, database: Database
) -> None:
    executor = holding(world, world.executor())
    see(world, executor, 1, 0, 99.0)
    replace_actions(database, [DIVIDEND])
    see(world, executor, 2, 0, 99.0)
    assert to_dollars(executor.books.desk.account.cash) == 50


def test_one_that_is_known_after_a_trade_is_told_and_not_booked(
    world: World, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    executor = holding(world, world.executor())
    see(world, executor, 1, 0, 99.0, signal="sell")
    see(world, executor, 1, 1, 99.0, signal="buy")
    see(world, executor, 1, 2, 99.0)
    replace_actions(database, [DIVIDEND])
    with caplog.at_level(logging.ERROR):
        see(world, executor, 2, 0, 99.0)
    assert "dividend:AAPL:2024-01-03 is not booked: shares were traded since" in caplog.text
    assert EventKind.DIVIDEND not in {event.kind for event in read_ledger(database, "p")}


class CountingCursor(psycopg.Cursor[TupleRow]):
    """A cursor that counts what it asks the database."""

    reads = 0

    def execute(self, query: Any, *values: Any, **options: Any) -> Self:
        type(self).reads += str(query).lstrip().startswith("SELECT")
        return super().execute(query, *values, **options)


def reads_of_a_session_s_start(world: World, actions: Sequence[CorporateAction]) -> int:
    """How often a session's first bar reads the database where so many actions are known."""
    replace_actions(world.database, actions)
    executor = world.executor()
    CountingCursor.reads = 0
    world.database.rows.cursor_factory = CountingCursor
    see(world, executor, 2, 0, 25.0)
    world.database.rows.cursor_factory = psycopg.Cursor
    return CountingCursor.reads


def test_a_session_s_start_reads_as_much_for_many_actions_as_for_one(
    world: World, database: Database
) -> None:
    """Those of the years before are neither booked nor asked for one by one."""
    old = [
        CorporateAction(
            symbol="AAPL", kind=ActionKind.DIVIDEND, value=0.1,
            ex_date=date(2020, 1, 1) + timedelta(days=30 * number),
        )
        for number in range(40)
    ]  # fmt: skip
    holding(world, world.executor())
    one, many = (reads_of_a_session_s_start(world, actions) for actions in (old[:1], old))
    assert one == many
    assert {event.kind for event in read_ledger(database, "p")} == {
        EventKind.DEPOSIT, EventKind.FILL,
    }  # fmt: skip


FOUR_DAYS = [date(2024, 1, 3) + timedelta(days=number) for number in range(4)]
OF_FOUR_DAYS = [
    CorporateAction(symbol=symbol, kind=kind, ex_date=day, value=value)
    for symbol, kind, day, value in [
        ("AAPL", ActionKind.DIVIDEND, FOUR_DAYS[0], 0.3),
        ("AAPL", ActionKind.SPLIT, FOUR_DAYS[1], 3.0),
        ("AAPL", ActionKind.DIVIDEND, FOUR_DAYS[1], 0.2),
        ("AAPL", ActionKind.DIVIDEND, FOUR_DAYS[2], 0.1),
        ("AAPL", ActionKind.SPLIT, FOUR_DAYS[3], 0.4),
        ("MSFT", ActionKind.DIVIDEND, FOUR_DAYS[2], 0.7),
    ]
]


@pytest.mark.parametrize("days", [(1, 2, 3, 4), (4,), (2, 4), (3, 4)])
def test_what_several_sessions_bring_comes_to_the_same_however_late_it_is_seen(
    database: Database, days: Sequence[int]
) -> None:
    policy = policy_of("p", ["AAPL", "MSFT"], allocation=Decimal("0.5"))
    world = World(database, policy, hours_of(10), Clock(START))
    executor = world.executor()
    for row, signal in ((0, "buy"), (1, None)):
        see(world, executor, 0, row, 100.0, signal=signal)
        see(world, executor, 0, row, 100.0, signal=signal, symbol="MSFT")
    assert executor.books.held("AAPL") == executor.books.held("MSFT") == 50
    replace_actions(database, OF_FOUR_DAYS)
    for day in days:
        for symbol in ("AAPL", "MSFT"):
            see(world, executor, day, 0, 100.0, symbol=symbol)
    # 50 shares become 150, and those 60; each dividend is of the shares of its day.
    assert executor.books.held("AAPL") == 60
    dividends = Decimal(50) * (Decimal("0.3") + Decimal("0.7")) + 150 * Decimal("0.3")
    assert to_dollars(executor.books.desk.account.cash) == dividends
    assert not world.executor().reconciling
