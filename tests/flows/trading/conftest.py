"""A real Postgres with an account that has traded."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from database.connection import Database
from flows.boundary.settings import settings
from tests.database.conftest import database, database_url, migrated_database, postgres
from tests.live.executor.world import Clock, World, hours_of, policy_of, walk
from tests.trading.backtest.markets import START, clock_of
from trading.orders.fills import Costs

__all__ = ["database", "database_url", "migrated_database", "postgres"]


def flat(price: float) -> tuple[float, ...]:
    return (price, price, price, price, 1e6)


@pytest.fixture
def traded(database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An account that bought 100 at 100, and has a price of 110; fees of a dollar a fill."""
    policy = policy_of(
        "p", ["AAPL"], costs=Costs.of(fee_per_share=Decimal("0.01")), capital=Decimal(10_000)
    )
    world = World(database, policy, hours_of(5), Clock(START))
    rows = {"AAPL": [flat(100.0), flat(100.0), flat(110.0)]}
    walk(world, world.executor(), rows, clock_of(3).starts.tolist(), {0: {"AAPL": "buy"}})
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    settings.cache_clear()
    yield "p"
    settings.cache_clear()
