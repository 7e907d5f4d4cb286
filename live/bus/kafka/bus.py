"""The bus on Kafka: publishing, and what reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Self, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from live.bus.encoding import Unreadable, encoded
from live.bus.kafka.connection import DEAD_LETTERS, Brokers, lone_consumer, topic_name
from live.bus.kafka.messages import Positions, read
from live.bus.kafka.offsets import offset_text
from live.bus.kafka.places import Line, Place, bounds, lacking
from live.bus.kafka.readers import SESSION_SECONDS, KafkaConsumer, KafkaTail
from live.bus.port import Batch, DeadLetter
from live.bus.reconnection import PATIENCE_SECONDS
from live.bus.retention import Retention
from live.errors import BusRewoundError, BusUnreachableError
from trading.events import Event, Stream

Headers = dict[str, str | bytes | None]

_LINGER_MILLISECONDS = 2
_ANSWER_SECONDS = 30.0


class KafkaBus:
    """See `live.bus.port.Bus`.

    Args:
        url: `kafka://host:port`, see `Brokers.of`.
        retention: How long topics that are made here keep events; the brokers trim them.
        patience_seconds: How long a call waits for brokers that are away.
        session_seconds: How long a member of a group may be silent before another takes over.

    Raises:
        ParameterError: The URL cannot be used.
        BusError: No broker answers, or topics cannot be made.
    """

    def __init__(
        self,
        url: str,
        retention: Retention = Retention(),  # noqa: B008 - frozen
        *,
        patience_seconds: float = PATIENCE_SECONDS,
        session_seconds: float = SESSION_SECONDS,
    ) -> None:
        self._brokers = Brokers.of(url)
        self._patience_seconds = patience_seconds
        self._session_seconds = session_seconds
        self._brokers.make_topics(retention, patience_seconds)
        self._published: dict[str, dict[int, Place]] = defaultdict(dict)
        self._begin_publishing()

    def publish(self, stream: Stream, key: str, event: Event) -> None:
        """Add an event."""
        self.publish_many(stream, [(key, event)])

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        """Add events, each to its key's partition."""
        payloads = [(key, encoded(stream, event)) for key, event in events]
        if not payloads:
            return
        self._producer.poll(0)  # it tells here what became of the connection
        if self._line.was_lost:
            self._check_published()
        self._produce(topic_name(stream), payloads)

    def consume(
        self,
        stream: Stream,
        group: str,
        consumer: str,
        start: Literal["first", "latest"] = "first",
    ) -> KafkaConsumer:
        """Join a group."""
        return KafkaConsumer(
            self._brokers, stream, group, consumer, start=start,
            session_seconds=self._session_seconds, keep_aside=self._keep_aside,
        )  # fmt: skip

    def tail(self, stream: Stream, after: str | None = None) -> KafkaTail:
        """Read without a group."""
        return KafkaTail(self._brokers, stream, after, self._keep_aside)

    def read_latest(self, stream: Stream, count: int = 1000) -> Batch:
        """About the last `count` events."""
        messages, end = self._latest(topic_name(stream), count)
        positions = Positions({})
        batch = positions.batch(stream, messages[-count:], self._keep_aside)
        # What is known of the last message of each partition is known of its end.
        ends = {number: Place(offset) for number, offset in end.items()}
        in_order = sorted(messages, key=lambda message: message.offset() or 0)
        ends |= {message.partition() or 0: Place.after(message) for message in in_order}
        return Batch(batch.events, batch.published_at, offset_text(ends))

    def dead_letters(self, count: int = 100) -> Sequence[DeadLetter]:
        """The last of what was kept aside."""
        return [_letter(message) for message in self._latest(DEAD_LETTERS, count)[0][-count:]]

    def trim(self) -> None:
        """Nothing to do: the brokers forget by the age that each topic was made with."""

    def close(self) -> None:
        """End the connection."""
        self._producer.flush(self._patience_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin_publishing(self) -> None:
        self._line = Line()
        self._producer = Producer(
            self._brokers.settings
            | {
                "enable.idempotence": True,
                "linger.ms": _LINGER_MILLISECONDS,
                "message.timeout.ms": round(self._patience_seconds * 1000),
                "error_cb": self._line.noted,
            }
        )

    def _check_published(self) -> None:
        """Look whether what was published is there after the connection was lost.

        Raises:
            BusRewoundError: It is not. It is said once.
        """
        gone = [topic for topic in self._published if self._lacks(topic)]
        # Brokers that came back may not know this producer, and would refuse its next numbers.
        self._begin_publishing()
        if gone:
            self._published.clear()
            raise self._rewound(gone[0])

    def _lacks(self, topic: str) -> bool:
        places = self._published[topic]
        return bool(lacking(self._brokers, topic, places, self._patience_seconds))

    def _rewound(self, topic: str) -> BusRewoundError:
        return BusRewoundError(
            f"The bus at {self._brokers.place} came back without the last "
            f"{topic.rpartition('.')[2]} that it had taken; start this process again, and it goes "
            "on from what is left."
        )

    def _produce(
        self,
        topic: str,
        payloads: Sequence[tuple[str, bytes]],
        headers: Headers | None = None,
    ) -> None:
        failed: list[KafkaError] = []
        published = self._published[topic]
        is_rewound = False

        def delivered(error: KafkaError | None, message: Message) -> None:
            nonlocal is_rewound
            if error is not None:
                failed.append(error)
                return
            partition, place = message.partition() or 0, Place.after(message)
            before = published.get(partition)
            is_rewound |= before is not None and place.next <= before.next
            published[partition] = place

        for payload in payloads:
            self._queue(topic, payload, headers, delivered)
        left = self._producer.flush(self._patience_seconds)
        if failed:
            raise self._brokers.failure(KafkaException(failed[0]))
        if is_rewound:  # just between the look and the publishing
            raise self._rewound(topic)
        if left:
            raise BusUnreachableError(
                f"The bus at {self._brokers.place} did not take {left} messages in "
                f"{self._patience_seconds:.0f} s; start it again, or correct TRADING_BUS_URL."
            )

    def _queue(
        self,
        topic: str,
        payload: tuple[str, bytes],
        headers: Headers | None,
        delivered: Callable[[KafkaError | None, Message], None],
    ) -> None:
        """Hand one message to the library, as soon as its queue has room."""
        while True:
            try:
                self._producer.produce(
                    topic, payload[1], payload[0], headers=headers, on_delivery=delivered
                )
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise self._brokers.failure(error) from error
            else:
                return

    def _keep_aside(self, stream: Stream, offset: str, found: Unreadable) -> None:
        headers: Headers = {
            "stream": stream.value.encode(), "offset": offset.encode(),
            "reason": found.reason.encode(),
        }  # fmt: skip
        self._produce(DEAD_LETTERS, [(f"{stream}:{offset}", found.payload)], headers)

    def _latest(self, topic: str, count: int) -> tuple[list[Message], dict[int, int]]:
        """The last messages of each partition by time, and the partitions' ends."""
        consumer = lone_consumer(self._brokers)
        try:
            begin, end = bounds(consumer, self._brokers, topic)
            first = {number: max(begin[number], end[number] - count) for number in end}
            consumer.assign([TopicPartition(topic, *place) for place in first.items()])
            wanted = sum(end[number] - first[number] for number in end)
            messages: list[Message] = []
            while len(messages) < wanted:
                found = read(consumer, self._brokers, wanted - len(messages), _ANSWER_SECONDS)
                if not found:
                    break
                messages += found
        finally:
            consumer.close()
        messages.sort(key=lambda message: message.timestamp()[1])
        return messages, end


def _letter(message: Message) -> DeadLetter:
    headers = cast("dict[str, bytes]", dict(cast("Iterable[Any]", message.headers() or [])))
    return DeadLetter(
        stream=Stream(headers["stream"].decode()),
        offset=headers["offset"].decode(),
        reason=headers["reason"].decode(),
        payload=message.value() or b"",
    )
