"""How far a log was read or written, and whether what stood there is still there.

Offsets are numbers that a broker gives again when it comes back without its last messages, empty or
restored from an older state. So the last message before a place is remembered with it.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from live.bus.kafka.connection import UNREACHABLE, Brokers, lone_consumer
from live.errors import BusUnreachableError

_ANSWER_SECONDS = 30.0

_SILENCE_SECONDS = 5.0
"""How long is waited for a message where the broker may have none."""

_CLOCKS_SECONDS = 60.0
"""How far apart the clocks of those who publish may be."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a partition.

    Attributes:
        next: The offset that comes next.
        mark: What the message before it is known by, `milliseconds.checksum`; empty when unknown.
    """

    next: int
    mark: str = ""

    @classmethod
    def after(cls, message: Message) -> Place:
        """The place after a message."""
        return cls((message.offset() or 0) + 1, mark_of(message))

    @property
    def milliseconds(self) -> int:
        """When the message before it was published, since 1970 in UTC."""
        return int(self.mark.partition(".")[0])


def mark_of(message: Message) -> str:
    """What a message is known by."""
    return f"{message.timestamp()[1]}.{zlib.crc32(message.value() or b''):08x}"


class Line:
    """Notes that the connection was lost: whatever is there afterwards may be another state.

    Attributes:
        was_lost: Whether it was, since this was last set to False.
    """

    def __init__(self) -> None:
        self.was_lost = False

    def noted(self, error: KafkaError) -> None:
        """Take an error of the library."""
        self.was_lost |= error.name() in UNREACHABLE


def lacking(
    brokers: Brokers, topic: str, places: Mapping[int, Place], seconds: float
) -> dict[int, int]:
    """The partitions that lack the message before a place, and where each is gone on from.

    What was published since they came back is after the moment of that message, so it is gone on
    from there: some events come again, and none is passed over.

    Args:
        brokers: Which brokers.
        topic: The topic.
        places: Places by partition; what has no mark is not looked at.
        seconds: How long to wait for brokers that are away.

    Raises:
        BusUnreachableError: No broker answers, or none hands over what it says that it has.
        BusError: The brokers do not say.
    """
    marked = {number: place for number, place in places.items() if place.mark}
    if not marked:
        return {}
    consumer = lone_consumer(brokers)
    try:
        consumer.list_topics(timeout=seconds)
        begin, end = bounds(consumer, brokers, topic)
        # What is older than the log's beginning was forgotten by its age.
        asked = {n: place for n, place in marked.items() if begin.get(n, 0) < place.next}
        found = _found(consumer, topic, asked)
        if any(end.get(n, 0) >= place.next for n, place in asked.items() if n not in found):
            # It may be another message: nobody may go on as if it were the same.
            raise BusUnreachableError(
                f"The bus at {brokers.place} does not hand over the last {topic} that it has; ask "
                "it again."
            )
        gone = {n: place for n, place in asked.items() if found.get(n) != place.mark}
        return _resumed(consumer, topic, gone, end)
    except KafkaException as error:
        raise brokers.failure(error) from error
    finally:
        consumer.close()


def bounds(
    consumer: Consumer, brokers: Brokers, topic: str
) -> tuple[dict[int, int], dict[int, int]]:
    """The first offset of each partition, and the next one that it will give.

    Raises:
        BusError: The brokers do not say.
    """
    begin: dict[int, int] = {}
    end: dict[int, int] = {}
    try:
        for number in consumer.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic].partitions:
            place = TopicPartition(topic, number)
            begin[number], end[number] = consumer.get_watermark_offsets(place, _ANSWER_SECONDS)
    except KafkaException as error:
        raise brokers.failure(error) from error
    return begin, end


def _found(consumer: Consumer, topic: str, places: Mapping[int, Place]) -> dict[int, str]:
    """The mark of the first message from before each place on; none where nothing comes.

    A message from elsewhere in the partition counts as another one.
    """
    found: dict[int, str] = {}
    consumer.assign([TopicPartition(topic, n, place.next - 1) for n, place in places.items()])
    deadline = time.monotonic() + _SILENCE_SECONDS
    while len(found) < len(places) and time.monotonic() < deadline:
        message = consumer.poll(max(0.0, deadline - time.monotonic()))
        if message is None or message.error() is not None:
            continue
        number = message.partition() or 0
        expected = places[number].next - 1
        found.setdefault(number, mark_of(message) if message.offset() == expected else "")
    consumer.unassign()
    return found


def _resumed(
    consumer: Consumer, topic: str, gone: Mapping[int, Place], end: Mapping[int, int]
) -> dict[int, int]:
    """The first offset that may have been published since the message before each place."""
    if not gone:
        return {}
    margin = round(_CLOCKS_SECONDS * 1000)
    wanted = [
        TopicPartition(topic, number, max(0, place.milliseconds - margin))
        for number, place in gone.items()
    ]
    found = consumer.offsets_for_times(wanted, timeout=_ANSWER_SECONDS)
    # Negative when nothing is that late.
    return {
        one.partition: one.offset if one.offset >= 0 else end.get(one.partition, 0) for one in found
    }
