"""Reading a topic: as a member of a group, or alone."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Literal

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Message, TopicPartition

from live.bus.kafka.connection import Brokers, lone_consumer, topic_name
from live.bus.kafka.messages import KeepAside, Positions, read
from live.bus.kafka.offsets import places_of
from live.bus.kafka.places import Line, Place, bounds, lacking
from live.bus.port import BEGINNING, Batch
from live.errors import BusUnreachableError
from trading.events import Stream

SESSION_SECONDS = 10.0
"""How long a member may be silent before another takes over its partitions."""

SHORTEST_SESSION_SECONDS = 6.0
"""What brokers allow unless they are told otherwise (`group.min.session.timeout.ms`)."""

_ANSWER_SECONDS = 30.0
_LOOK_SECONDS = 1.0
"""How long to wait for brokers that were away, while there is nothing to hand on."""

logger = logging.getLogger(__name__)


class _Reader:
    """What reads a stream, and notices when that came back without what was read of it."""

    def __init__(self, brokers: Brokers, stream: Stream, keep_aside: KeepAside) -> None:
        self._brokers = brokers
        self._stream = stream
        self._topic = topic_name(stream)
        self._keep_aside = keep_aside
        self._line = Line()
        self._positions = Positions({})

    def _settings(self) -> dict[str, Any]:
        return {"error_cb": self._line.noted}

    def _read(self, consumer: Consumer, most: int, wait_seconds: float) -> list[Message]:
        """The next messages; none when it went back, from where they then come.

        Raises:
            BusError: Reading failed for good.
        """
        messages = read(consumer, self._brokers, most, wait_seconds)
        if self._line.was_lost and self._went_back(consumer, waits=bool(messages)):
            return []
        return messages

    def _went_back(self, consumer: Consumer, *, waits: bool) -> bool:
        try:
            seconds = _ANSWER_SECONDS if waits else _LOOK_SECONDS
            begun = self._begun(self._positions.places, seconds)
        except BusUnreachableError:
            if waits:
                raise
            return False  # it is looked at again
        self._line.was_lost = False
        if begun == self._positions.places:
            return False
        self._positions = Positions(begun)
        consumer.assign(self._assignment())
        return True

    def _begun(
        self, places: Mapping[int, Place], seconds: float = _ANSWER_SECONDS
    ) -> dict[int, Place]:
        """Where to go on: at these places, or before what was published since the bus lost them.

        Raises:
            BusError: The brokers do not say.
        """
        resumed = lacking(self._brokers, self._topic, places, seconds)
        if resumed:
            logger.warning(
                "The bus at %s came back without the last %s that were read; it is read on from "
                "what was published since, and some of it may come again.",
                self._brokers.place, self._stream,
            )  # fmt: skip
        return {**places, **{number: Place(offset) for number, offset in resumed.items()}}

    def _assignment(self) -> list[TopicPartition]:
        return [
            TopicPartition(self._topic, number, place.next)
            for number, place in self._positions.places.items()
        ]


class KafkaConsumer(_Reader):
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
        super().__init__(brokers, stream, keep_aside)
        self._consumer = Consumer(
            brokers.settings
            | self._settings()
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
            messages = self._read(self._consumer, most, left)
            batch = self._positions.batch(self._stream, messages, self._keep_aside)
            if messages and not batch.events:
                self.acknowledge(batch)
            if batch.events or time.monotonic() >= deadline:
                return batch

    def acknowledge(self, batch: Batch) -> None:
        """Say that all of a batch is done."""
        if not batch.receipt:
            return
        # With what it was, so that whoever goes on from there knows whether it still is.
        offsets = [
            TopicPartition(self._topic, number, place.next, metadata=place.mark)
            for number, place in batch.receipt
        ]
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
        places = {one.partition: Place(one.offset, one.metadata or "") for one in committed}
        new = {
            number: Place(self._begin.get(number, OFFSET_BEGINNING))
            for number, place in places.items()
            if place.next < 0
        }
        self._positions = Positions(self._begun(places | new))
        consumer.assign(self._assignment())


class KafkaTail(_Reader):
    """A reader by itself, see `live.bus.port.Tail`."""

    def __init__(
        self, brokers: Brokers, stream: Stream, after: str | None, keep_aside: KeepAside
    ) -> None:
        super().__init__(brokers, stream, keep_aside)
        self._consumer = lone_consumer(brokers, self._settings())
        begin, end = bounds(self._consumer, brokers, self._topic)
        first = {number: Place(offset) for number, offset in begin.items()}
        if after == BEGINNING:
            places = first
        elif after is None:
            places = {number: Place(offset) for number, offset in end.items()}
        else:
            # A partition that an older offset does not know began after it.
            places = first | self._begun(places_of(after))
        self._positions = Positions(places)
        self._consumer.assign(self._assignment())

    def fetch(self, most: int = 1000, wait_seconds: float = 1.0) -> Batch:
        """The next events, see `live.bus.port.Tail`."""
        messages = self._read(self._consumer, most, wait_seconds)
        return self._positions.batch(self._stream, messages, self._keep_aside)

    def close(self) -> None:
        """Stop reading."""
        self._consumer.close()
