"""Kafka's messages as events, and what cannot be read kept aside."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException, Message

from live.bus.encoding import Unreadable, decoded
from live.bus.kafka.connection import Brokers
from live.bus.kafka.offsets import offset_text
from live.bus.kafka.places import Place
from live.bus.port import Batch
from trading.events import Event, Stream

KeepAside = Callable[[Stream, str, Unreadable], None]
"""Keep what cannot be read, given its stream and its place there."""

_MILLISECOND = 1_000_000

logger = logging.getLogger(__name__)


def read(consumer: Consumer, brokers: Brokers, most: int, wait_seconds: float) -> list[Message]:
    """The next messages; waits for the first alone.

    Raises:
        BusError: Reading failed for good; a lost connection the library makes again by itself.
    """
    first = consumer.poll(wait_seconds)
    found = [] if first is None else [first, *consumer.consume(most - 1, 0)]
    messages = []
    for message in found:
        error = message.error()
        if error is None:
            messages.append(message)
        elif error.fatal():
            raise brokers.failure(KafkaException(error))
        else:
            logger.warning("The bus at %s: %s", brokers.place, error.str())
    return messages


class Positions:
    """Where a reader is in each partition, and whether it was led past something."""

    def __init__(self, places: Mapping[int, Place]) -> None:
        self.places = dict(places)

    def batch(self, stream: Stream, messages: Sequence[Message], keep_aside: KeepAside) -> Batch:
        """The events of messages, and the place after them."""
        events: list[Event] = []
        times: list[int] = []
        missed = False
        for message in messages:
            missed |= self._pass(message)
            found = decoded(stream, message.value() or b"")
            if isinstance(found, Unreadable):
                keep_aside(stream, f"{message.partition()}:{message.offset()}", found)
            else:
                events.append(found)
                times.append(_published_at(message))
        touched = sorted({message.partition() or 0 for message in messages})
        ends = [(partition, self.places[partition]) for partition in touched]
        return Batch(events, times, offset_text(self.places), missed, ends)

    def _pass(self, message: Message) -> bool:
        partition = message.partition() or 0
        expected = self.places.get(partition)
        self.places[partition] = Place.after(message)
        return expected is not None and 0 <= expected.next < (message.offset() or 0)


def _published_at(message: Message) -> int:
    kind, milliseconds = message.timestamp()
    return 0 if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds * _MILLISECOND
