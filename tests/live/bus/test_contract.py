"""What every bus promises, on a real Valkey and a real broker of Kafka's interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import pytest

from live.bus.kafka.bus import KafkaBus
from live.bus.port import BEGINNING, Batch, Bus, Consumer, Tail
from live.bus.redis_streams.bus import RedisBus
from live.errors import BusError
from trading.events import AlertChanged, BarClosed, Event, Stream, Tick

SECONDS = 60.0
"""How long an event may take to come."""

SILENCE_SECONDS = 1.0

Opened = Callable[[], Bus]


@pytest.fixture(params=["redis", pytest.param("kafka", marks=pytest.mark.slow)])
def opened(request: pytest.FixtureRequest) -> Iterator[Opened]:
    """Open the bus of the test once more, as another process would."""
    buses: list[Bus] = []
    if request.param == "redis":
        url = request.getfixturevalue("bus_url")
    else:
        url = request.getfixturevalue("kafka_url")

    def another() -> Bus:
        bus: Bus = (
            RedisBus(url, lease_seconds=SILENCE_SECONDS)
            if request.param == "redis"
            else KafkaBus(url, session_seconds=6 * SILENCE_SECONDS)
        )
        buses.append(bus)
        return bus

    yield another
    for bus in buses:
        bus.close()


@pytest.fixture
def bus(opened: Opened) -> Bus:
    return opened()


def tick(symbol: str, number: int) -> Tick:
    return Tick(symbol, 1_000 + number, 10.0 + number, 100.0, number)


def ticks(count: int, symbols: Sequence[str] = ("A", "B", "C")) -> list[tuple[str, Tick]]:
    return [(symbol, tick(symbol, n)) for n in range(count) for symbol in symbols]


def fetched(reader: Consumer | Tail, count: int) -> list[Event]:
    """At least so many events, each acknowledged where that can be done."""
    found: list[Event] = []
    batches: list[Batch] = []
    tries = 0
    while len(found) < count and tries < SECONDS:
        batch = reader.fetch(wait_seconds=1)
        tries += not batch.events
        batches.append(batch)
        found += batch.events
        if hasattr(reader, "acknowledge"):
            reader.acknowledge(batch)
    assert len(found) >= count, f"{len(found)} of {count}"
    return found


def numbers(events: Sequence[Event], symbol: str) -> list[int]:
    return [e.number for e in events if isinstance(e, Tick) and e.symbol == symbol]


def test_a_group_gets_every_event_in_order_for_each_key(bus: Bus) -> None:
    bus.publish_many(Stream.TICKS, ticks(700))
    bus.publish(Stream.TICKS, "A", tick("A", 700))
    consumer = bus.consume(Stream.TICKS, "windows", "one")
    events = fetched(consumer, 2101)
    assert numbers(events, "A") == list(range(701))
    assert numbers(events, "B") == numbers(events, "C") == list(range(700))
    assert not consumer.fetch(wait_seconds=0.1).events
    consumer.close()


def test_each_group_gets_everything(bus: Bus) -> None:
    bus.publish_many(Stream.TICKS, ticks(3))
    for group in ("windows", "alerts"):
        consumer = bus.consume(Stream.TICKS, group, "one")
        assert len(fetched(consumer, 9)) == 9
        consumer.close()


def test_what_was_acknowledged_comes_no_more_and_the_rest_again(opened: Opened) -> None:
    bus = opened()
    first = bus.consume(Stream.TICKS, "windows", "one")
    bus.publish(Stream.TICKS, "A", tick("A", 0))
    fetched(first, 1)
    bus.publish(Stream.TICKS, "A", tick("A", 1))
    batch = first.fetch(wait_seconds=SECONDS)
    while not batch.events:
        batch = first.fetch(wait_seconds=SECONDS)
    assert numbers(batch.events, "A") == [1]
    first.close()
    again = opened().consume(Stream.TICKS, "windows", "one")
    assert numbers(fetched(again, 1), "A") == [1]
    again.close()


def test_what_a_silent_member_held_is_taken_over_before_anything_newer(opened: Opened) -> None:
    dead = opened().consume(Stream.TICKS, "windows", "dead")
    bus = opened()
    bus.publish_many(Stream.TICKS, ticks(5, "A"))
    held = dead.fetch(wait_seconds=SECONDS)
    while not held.events:
        held = dead.fetch(wait_seconds=SECONDS)
    if isinstance(bus, KafkaBus):
        # The library's own thread speaks for a member until it is closed or killed.
        dead.close()
    bus.publish_many(Stream.TICKS, [("A", tick("A", n)) for n in range(5, 8)])
    heir = opened().consume(Stream.TICKS, "windows", "heir")
    assert numbers(fetched(heir, 8), "A") == list(range(8))
    heir.close()


def test_a_new_group_may_begin_with_what_comes_now(bus: Bus) -> None:
    bus.publish(Stream.TICKS, "A", tick("A", 0))
    consumer = bus.consume(Stream.TICKS, "executor", "one", start="latest")
    bus.publish(Stream.TICKS, "A", tick("A", 1))
    assert numbers(fetched(consumer, 1), "A") == [1]
    consumer.close()


def test_a_tail_gets_what_comes_and_goes_on_from_an_offset(opened: Opened) -> None:
    bus = opened()
    bus.publish_many(Stream.TICKS, ticks(2))
    tail = bus.tail(Stream.TICKS)
    bus.publish_many(Stream.TICKS, ticks(4)[6:])
    seen: list[Event] = []
    offset = ""
    while len(seen) < 6:
        batch = tail.fetch(wait_seconds=1)
        seen += batch.events
        offset = batch.offset
        assert len(batch.published_at) == len(batch.events)
    assert numbers(seen, "A") == [2, 3]
    bus.publish(Stream.TICKS, "A", tick("A", 9))
    later = opened().tail(Stream.TICKS, offset)
    assert numbers(fetched(later, 1), "A") == [9]
    everything = bus.tail(Stream.TICKS, BEGINNING)
    assert numbers(fetched(everything, 13), "A") == [0, 1, 2, 3, 9]
    for one in (tail, later, everything):
        one.close()


def test_the_latest_events_are_read_without_waiting_for_more(bus: Bus) -> None:
    assert not bus.read_latest(Stream.TICKS, 5).events
    bus.publish_many(Stream.TICKS, ticks(1000, "A"))
    batch = bus.read_latest(Stream.TICKS, 5)
    assert numbers(batch.events, "A")[-5:] == [995, 996, 997, 998, 999]
    bus.publish(Stream.TICKS, "A", tick("A", 1000))
    tail = bus.tail(Stream.TICKS, batch.offset)
    assert numbers(fetched(tail, 1), "A") == [1000]
    tail.close()


def test_publishing_times_are_the_buses_own_and_never_fall(bus: Bus) -> None:
    bus.publish_many(Stream.TICKS, ticks(5, "A"))
    bus.publish_many(Stream.TICKS, ticks(5, "A"))
    batch = bus.read_latest(Stream.TICKS, 10)
    assert len(batch.published_at) == 10
    assert all(a <= b for a, b in pairwise(batch.published_at))
    assert batch.published_at[0] > 1_700_000_000 * 10**9


def test_what_cannot_be_read_is_kept_aside_and_stops_nobody(bus: Bus) -> None:
    later = Tick("A", 1, 1.0, 1.0, 1, version=99)
    bus.publish_many(Stream.TICKS, [("A", tick("A", 0)), ("A", later), ("A", tick("A", 2))])
    consumer = bus.consume(Stream.TICKS, "windows", "one")
    assert numbers(fetched(consumer, 2), "A") == [0, 2]
    (letter,) = bus.dead_letters()
    assert letter.stream is Stream.TICKS
    assert letter.reason == "version 99 of a ticks event is unknown"
    assert letter.payload
    consumer.close()
    again = bus.consume(Stream.TICKS, "windows", "one")
    assert not again.fetch(wait_seconds=0.1).events
    again.close()


def test_a_stream_carries_one_type(bus: Bus) -> None:
    with pytest.raises(TypeError, match="the stream bars carries no Tick"):
        bus.publish(Stream.BARS, "A", tick("A", 0))
    bar = BarClosed("A", "5m", 1, 1.0, 2.0, 0.5, 1.5, 10.0, 2, trades=3, vwap=1.2, revision=1)
    alert = AlertChanged("r", "A", "firing", "info", "It rains.", 3, "r:A:3")
    bus.publish(Stream.BARS, "A", bar)
    bus.publish(Stream.ALERTS, "A", alert)
    assert bus.read_latest(Stream.BARS).events == [bar]
    assert bus.read_latest(Stream.ALERTS).events == [alert]


def test_an_offset_of_another_bus_is_refused(bus: Bus) -> None:
    with pytest.raises(BusError, match="'nonsense' is no offset"):
        bus.tail(Stream.TICKS, "nonsense")
