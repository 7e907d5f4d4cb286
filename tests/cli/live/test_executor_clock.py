"""The time of an executor that was begun again in a replay."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.commands.live.services.executor import clock_of
from live.bus.port import Bus
from live.executor.clock import WallClock
from live.stream.source import time_tick
from trading.events import CLOCK, Stream

NOON = datetime(2024, 7, 3, 16, tzinfo=UTC)


def test_it_goes_on_with_the_last_time_told(bus: Bus) -> None:
    before = clock_of("events", bus)
    bus.publish(Stream.TICKS, CLOCK, time_tick(int(NOON.timestamp()) * 10**9))
    assert before() == datetime(1970, 1, 1, tzinfo=UTC)
    assert clock_of("events", bus)() == NOON
    assert isinstance(clock_of("wall", bus), WallClock)
