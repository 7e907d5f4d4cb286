"""The market's time is the wall's, or that which a replay tells."""

from __future__ import annotations

from datetime import UTC, datetime

from cli.market_clock import market_clock
from live.bus.opening import open_bus
from live.stream.source import time_tick
from tests.live.conftest import bus_url, valkey  # noqa: F401 - fixtures
from tests.waiting import wait_until
from trading.events import CLOCK, Stream

THEN = datetime(2024, 7, 3, 16, tzinfo=UTC)


def test_a_replays_time_is_followed(bus_url: str) -> None:  # noqa: F811 - the fixture
    with open_bus(bus_url) as bus, market_clock("events", bus_url) as clock:
        assert clock() >= THEN.replace(year=2026)
        bus.publish(Stream.TICKS, CLOCK, time_tick(int(THEN.timestamp()) * 10**9))
        wait_until(lambda: clock() == THEN, "it follows", 60)


def test_the_walls_time_needs_no_bus() -> None:
    for clock in ("wall", "events"):
        with market_clock(clock, None) as now:
            assert abs((now() - datetime.now(UTC)).total_seconds()) < 3600
