"""A counted bus is the bus, and tells what went over it."""

from __future__ import annotations

from live.bus.counted import CountedBus
from live.bus.opening import open_bus
from live.telemetry import Telemetry
from trading.events import Stream, Tick


def value(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, {"service": "windows", **labels})


def tick(number: int) -> Tick:
    return Tick("AAPL", number, 1.0, 1.0, number)


def test_what_goes_over_it_is_counted_and_all_there(bus_url: str) -> None:
    telemetry = Telemetry("windows")
    with open_bus(bus_url) as plain, CountedBus(plain, telemetry) as bus:
        tail, member = bus.tail(Stream.TICKS), bus.consume(Stream.TICKS, "g", "one")
        bus.publish(Stream.TICKS, "AAPL", tick(1))
        bus.publish_many(Stream.TICKS, (("AAPL", tick(n)) for n in (2, 3)))
        bus.publish_many(Stream.TICKS, [])
        assert value(telemetry, "trading_events_published_total", stream="ticks") == 3
        assert [event.ts for event in tail.fetch().events if isinstance(event, Tick)] == [1, 2, 3]
        assert value(telemetry, "trading_events_received_total", stream="ticks") == 3
        batch = member.fetch()
        assert len(batch.events) == 3
        member.acknowledge(batch)
        assert value(telemetry, "trading_events_received_total", stream="ticks") == 6
        assert value(telemetry, "trading_lag_seconds_count") == 2
        assert not member.fetch(wait_seconds=0.0).events
        assert value(telemetry, "trading_lag_seconds_count") == 2
        assert len(bus.read_latest(Stream.TICKS).events) == 3
        tail.close()
        member.close()
