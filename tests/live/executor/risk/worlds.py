"""A world of one symbol with the built-in broker or with Alpaca's, and its bars."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from database.connection import Database
from live.executor.executor import Executor
from tests.adapters.alpaca_trading import TradingBooks
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
