"""Brokers of Kafka's interface that come back without what they had taken: said, and read again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from live.bus.kafka.bus import KafkaBus
from live.bus.kafka.connection import topic_name
from live.bus.kafka.readers import KafkaConsumer, KafkaTail
from live.bus.port import BEGINNING
from live.errors import BusError, BusRewoundError
from tests.live.tansu import Tansu
from tests.waiting import wait_until
from trading.events import Event, Stream, Tick

pytestmark = pytest.mark.slow

TICKS = topic_name(Stream.TICKS)

Reader = KafkaConsumer | KafkaTail


def tick(number: int, price: float = 1.0) -> Tick:
    return Tick("A", number, price, 1.0, number)


def told(bus: KafkaBus, numbers: range, price: float = 1.0) -> None:
    for number in numbers:
        bus.publish(Stream.TICKS, "A", tick(number, price))


def read_until(reader: Reader, last: Event) -> list[Event]:
    """What comes up to an event, each acknowledged where that can be done."""
    found: list[Event] = []

    def look() -> bool:
        batch = reader.fetch(wait_seconds=0.2)
        found.extend(batch.events)
        if isinstance(reader, KafkaConsumer):
            # A broker that forgot its members refuses until the group has met again: a process
            # ends with that, and gets the batch once more.
            with contextlib.suppress(BusError):
                reader.acknowledge(batch)
        return last in found

    wait_until(look, f"{last} has come, not only {found}", 60)
    return found


@pytest.mark.parametrize("kept", [0, 3])
def test_a_publisher_is_told_once_and_before_anything_follows_the_gap(
    tansu: Tansu, kept: int
) -> None:
    with KafkaBus(tansu.url) as bus:
        told(bus, range(5))
        tansu.come_back_with(TICKS, tansu.messages(TICKS, 5)[:kept])
        with pytest.raises(BusRewoundError, match="came back without the last ticks that it had"):
            bus.publish(Stream.TICKS, "A", tick(5))
        tail = bus.tail(Stream.TICKS, BEGINNING)
        told(bus, range(kept, 6))
        assert read_until(tail, tick(5)) == [tick(number) for number in range(6)]
        tail.close()


def test_a_publisher_whose_messages_are_there_is_told_nothing(tansu: Tansu) -> None:
    with KafkaBus(tansu.url) as bus:
        told(bus, range(5))
        tansu.come_back_with(TICKS, tansu.messages(TICKS, 5))
        bus.publish(Stream.TICKS, "A", tick(5))
        tail = bus.tail(Stream.TICKS, BEGINNING)
        assert read_until(tail, tick(5)) == [tick(number) for number in range(6)]
        tail.close()


def a_tail(bus: KafkaBus) -> Reader:
    return bus.tail(Stream.TICKS, BEGINNING)


def a_member(bus: KafkaBus) -> Reader:
    return bus.consume(Stream.TICKS, "windows", "one")


@pytest.mark.parametrize("opened", [a_tail, a_member])
def test_a_reader_passes_over_nothing_that_was_published_in_place_of_what_was_lost(
    tansu: Tansu, opened: Callable[[KafkaBus], Reader]
) -> None:
    with KafkaBus(tansu.url, session_seconds=6) as bus:
        told(bus, range(5))
        reader = opened(bus)
        read_until(reader, tick(4))
        tansu.come_back_with(TICKS, tansu.messages(TICKS, 5)[:3])
        with KafkaBus(tansu.url) as later:
            told(later, range(3, 7), price=2.0)
        again = read_until(reader, tick(6, 2.0))
        # Some may come again; of those in place of the lost ones none is missing.
        assert [e for e in again if e not in [tick(n) for n in range(3)]] == [
            tick(number, 2.0) for number in range(3, 7)
        ]
        reader.close()


def test_an_offset_that_was_kept_elsewhere_leads_to_what_took_the_place_of_the_lost(
    tansu: Tansu,
) -> None:
    with KafkaBus(tansu.url) as bus:
        told(bus, range(5))
        offsets = [bus.read_latest(Stream.TICKS).offset]
        tail = bus.tail(Stream.TICKS, BEGINNING)
        read_until(tail, tick(4))
        offsets.append(tail.fetch(wait_seconds=0).offset)
        tail.close()
    tansu.come_back_with(TICKS, tansu.messages(TICKS, 5)[:3])
    with KafkaBus(tansu.url) as bus:
        told(bus, range(3, 7), price=2.0)
        for offset in offsets:
            tail = bus.tail(Stream.TICKS, offset)
            assert read_until(tail, tick(6, 2.0))[-4:] == [tick(n, 2.0) for n in range(3, 7)]
            tail.close()


def test_an_offset_of_what_is_still_there_goes_on_from_it(tansu: Tansu) -> None:
    with KafkaBus(tansu.url) as bus:
        told(bus, range(5))
        offset = bus.read_latest(Stream.TICKS).offset
        told(bus, range(5, 7))
        tail = bus.tail(Stream.TICKS, offset)
        assert read_until(tail, tick(6)) == [tick(5), tick(6)]
        tail.close()
