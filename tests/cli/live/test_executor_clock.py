"""The time of an executor that was begun again in a replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cli.commands.live.services.executor import clock_of
from database.connection import Database
from database.live.bars import save_live_bars
from live.bus.port import Bus
from live.executor.clock import WallClock
from live.stream.source import time_tick
from tests.trading.alerts.given import bar
from trading.events import CLOCK, Stream
from trading.instruments.clock import moment_of

NOON = datetime(2024, 7, 3, 16, tzinfo=UTC)


def test_it_goes_on_with_the_last_time_told(bus: Bus, database: Database) -> None:
    before = clock_of("events", bus, database)
    bus.publish(Stream.TICKS, CLOCK, time_tick(int(NOON.timestamp()) * 10**9))
    assert before() == datetime(1970, 1, 1, tzinfo=UTC)
    assert clock_of("events", bus, database)() == NOON
    assert isinstance(clock_of("wall", bus, database), WallClock)


def test_it_goes_on_with_the_restored_bars_where_the_bus_is_empty(
    bus: Bus, database: Database
) -> None:
    last = bar(1, 101.0)
    save_live_bars(database, [bar(0, 99.0), last])
    assert clock_of("events", bus, database)() == moment_of(last.ts) + timedelta(minutes=1)
