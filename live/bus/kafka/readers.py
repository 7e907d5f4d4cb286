"""Reading a topic: as a member of a group, or alone."""

from __future__ import annotations

import time
from typing import Literal
from uuid import uuid4

from confluent_kafka import Consumer, KafkaException, TopicPartition

from live.bus.kafka.connection import Brokers, topic_name
from live.bus.kafka.messages import KeepAside, Positions, read
from live.bus.kafka.offsets import positions_of
from live.bus.port import BEGINNING, Batch
from trading.events import Stream

SESSION_SECONDS = 10.0
"""How long a member may be silent before another takes over its partitions."""

SHORTEST_SESSION_SECONDS = 6.0
"""What brokers allow unless they are told otherwise (`group.min.session.timeout.ms`)."""

_ANSWER_SECONDS = 30.0


class KafkaConsumer:
    """A member of a group, see `live.bus.port.Consumer`."""

    def __init__(
        self,
        brokers: Brokers,
        stream: Stream,
        group: str,
        consumer: str,
        *,
        start: Literal["first", "latest"],
        session_seconds: float,
        keep_aside: KeepAside,
    ) -> None:
        self._brokers = brokers
        self._stream = stream
        self._topic = topic_name(stream)
        self._keep_aside = keep_aside
        self._positions = Positions({})
        self._consumer = Consumer(
            brokers.settings
            | {
                "group.id": f"trading.{stream}.{group}",
                "client.id": consumer,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": round(session_seconds * 1000),
                "heartbeat.interval.ms": round(session_seconds * 300),
            }
        )
        # As of now: what is published before the group is complete must not be missed.
        self._begin = bounds(self._consumer, brokers, self._topic)[1] if start == "latest" else {}
        self._consumer.subscribe([self._topic], on_assign=self._assigned)

    def fetch(self, most: int = 1000, wait_seconds: float = 1.0) -> Batch:
        """The next events, see `live.bus.port.Consumer`."""
        deadline = time.monotonic() + wait_seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            messages = read(self._consumer, self._brokers, most, left)
            batch = self._positions.batch(self._stream, messages, self._keep_aside)
            if messages and not batch.events:
                self.acknowledge(batch)
            if batch.events or time.monotonic() >= deadline:
                return batch

    def acknowledge(self, batch: Batch) -> None:
        """Say that all of a batch is done."""
        if not batch.receipt:
            return
        offsets = [TopicPartition(self._topic, number, offset) for number, offset in batch.receipt]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise self._brokers.failure(error) from error

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Begin each partition where the group is, or where a new group is to begin."""
        committed = consumer.committed(partitions, _ANSWER_SECONDS)
        for one in committed:
            if one.offset < 0 and one.partition in self._begin:
                one.offset = self._begin[one.partition]
        self._positions = Positions({one.partition: one.offset for one in committed})
        consumer.assign(committed)


class KafkaTail:
    """A reader by itself, see `live.bus.port.Tail`."""

    def __init__(
        self, brokers: Brokers, stream: Stream, after: str | None, keep_aside: KeepAside
    ) -> None:
        self._brokers = brokers
        self._stream = stream
        self._keep_aside = keep_aside
        self._consumer = lone_consumer(brokers)
        topic = topic_name(stream)
        begin, end = bounds(self._consumer, brokers, topic)
        if after == BEGINNING:
            positions = begin
        else:
            # A partition that an older offset does not know began after it.
            positions = end if after is None else begin | positions_of(after)
        self._positions = Positions(dict(positions))
        self._consumer.assign([TopicPartition(topic, *place) for place in positions.items()])

    def fetch(self, most: int = 1000, wait_seconds: float = 1.0) -> Batch:
        """The next events, see `live.bus.port.Tail`."""
        messages = read(self._consumer, self._brokers, most, wait_seconds)
        return self._positions.batch(self._stream, messages, self._keep_aside)

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()


def lone_consumer(brokers: Brokers) -> Consumer:
    """A client that reads what it is told to, without a group."""
    return Consumer(
        brokers.settings
        | {
            "group.id": f"trading.alone.{uuid4().hex}",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )


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
