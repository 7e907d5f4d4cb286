"""What the bus is told of orders."""

from __future__ import annotations

from database.connection import Database
from live.bus.port import BEGINNING
from live.bus.redis_streams.bus import RedisBus
from live.executor.publishing import Publishing
from tests.live.executor.world import Clock, World, hours_of, policy_of, walk
from tests.trading.backtest.markets import START, clock_of
from trading.events import OrderChanged, Stream


def test_amounts_are_texts_in_plain_notation(database: Database, bus_url: str) -> None:
    """The database keeps more decimals, e.g. 100.000000000."""
    world = World(database, policy_of("p", ["AAPL"]), hours_of(5), Clock(START))
    bar = (100.0, 100.0, 100.0, 100.0, 1e6)
    walk(world, world.executor(), {"AAPL": [bar, bar]}, clock_of(2).starts.tolist(),
         {0: {"AAPL": "buy"}})  # fmt: skip
    with RedisBus(bus_url) as bus:
        assert Publishing(database, "p", bus).publish() > 0
        events = bus.tail(Stream.ORDERS, BEGINNING).fetch(100, 0).events
    told = [event for event in events if isinstance(event, OrderChanged)]
    filled = told[-1]
    assert (filled.state, filled.price) == ("FILLED", "100")
    assert filled.quantity == filled.filled_quantity
    assert not any("." in one.quantity + one.filled_quantity for one in told)
