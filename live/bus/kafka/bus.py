"""The bus on Kafka: publishing, and what reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, Self, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from live.bus.encoding import Unreadable, encoded
from live.bus.kafka.connection import DEAD_LETTERS, Brokers, topic_name
from live.bus.kafka.messages import Positions, read
from live.bus.kafka.offsets import offset_text
from live.bus.kafka.readers import SESSION_SECONDS, KafkaConsumer, KafkaTail, bounds, lone_consumer
from live.bus.port import Batch, DeadLetter
from live.bus.reconnection import PATIENCE_SECONDS
from live.bus.retention import Retention
from live.errors import BusUnreachableError
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
        self._producer = Producer(
            self._brokers.settings
            | {
                "enable.idempotence": True,
                "linger.ms": _LINGER_MILLISECONDS,
                "message.timeout.ms": round(patience_seconds * 1000),
            }
        )

    def publish(self, stream: Stream, key: str, event: Event) -> None:
        """Add an event."""
        self.publish_many(stream, [(key, event)])

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        """Add events, each to its key's partition."""
        payloads = [(key, encoded(stream, event)) for key, event in events]
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
        messages, first, end = self._latest(topic_name(stream), count)
        batch = Positions(first | end).batch(stream, messages, self._keep_aside)
        return Batch(batch.events, batch.published_at, offset_text(end))

    def dead_letters(self, count: int = 100) -> Sequence[DeadLetter]:
        """The last of what was kept aside."""
        return [_letter(message) for message in self._latest(DEAD_LETTERS, count)[0]]

    def trim(self) -> None:
        """Nothing to do: the brokers forget by the age that each topic was made with."""

    def close(self) -> None:
        """End the connection."""
        self._producer.flush(self._patience_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _produce(
        self,
        topic: str,
        payloads: Sequence[tuple[str, bytes]],
        headers: Headers | None = None,
    ) -> None:
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error)

        for payload in payloads:
            self._queue(topic, payload, headers, delivered)
        left = self._producer.flush(self._patience_seconds)
        if failed:
            raise self._brokers.failure(KafkaException(failed[0]))
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
            else:
                return

    def _keep_aside(self, stream: Stream, offset: str, found: Unreadable) -> None:
        headers: Headers = {
            "stream": stream.value.encode(), "offset": offset.encode(),
            "reason": found.reason.encode(),
        }  # fmt: skip
        self._produce(DEAD_LETTERS, [(f"{stream}:{offset}", found.payload)], headers)

    def _latest(
        self, topic: str, count: int
    ) -> tuple[list[Message], dict[int, int], dict[int, int]]:
        """The last messages by time, and where in each partition they were looked for."""
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
        return messages[-count:], first, end


def _letter(message: Message) -> DeadLetter:
    headers = cast("dict[str, bytes]", dict(cast("Iterable[Any]", message.headers() or [])))
    return DeadLetter(
        stream=Stream(headers["stream"].decode()),
        offset=headers["offset"].decode(),
        reason=headers["reason"].decode(),
        payload=message.value() or b"",
    )
