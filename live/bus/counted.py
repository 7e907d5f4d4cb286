"""A bus that counts what goes over it, for the numbers that a process tells of itself."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Literal, Self

from live.bus.port import Batch, Bus, Consumer, DeadLetter, Tail
from live.telemetry import Telemetry
from trading.events import Event, Stream


class CountedBus:
    """See `live.bus.port.Bus`.

    Args:
        bus: What does the work.
        telemetry: What counts.
    """

    def __init__(self, bus: Bus, telemetry: Telemetry) -> None:
        self._bus = bus
        self._telemetry = telemetry

    def publish(self, stream: Stream, key: str, event: Event) -> None:
        """Add an event."""
        self._bus.publish(stream, key, event)
        self._telemetry.published(stream)

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        """Add events in order."""
        listed = list(events)
        self._bus.publish_many(stream, listed)
        if listed:
            self._telemetry.published(stream, len(listed))

    def consume(
        self,
        stream: Stream,
        group: str,
        consumer: str,
        start: Literal["first", "latest"] = "first",
    ) -> Consumer:
        """Join a group."""
        joined = self._bus.consume(stream, group, consumer, start)
        return _CountedConsumer(joined, stream, self._telemetry)

    def tail(self, stream: Stream, after: str | None = None) -> Tail:
        """Read without a group."""
        return _CountedTail(self._bus.tail(stream, after), stream, self._telemetry)

    def read_latest(self, stream: Stream, count: int = 1000) -> Batch:
        """The last events, which are looked up and not worked on: they do not count."""
        return self._bus.read_latest(stream, count)

    def dead_letters(self, count: int = 100) -> Sequence[DeadLetter]:
        """What was kept aside."""
        return self._bus.dead_letters(count)

    def trim(self) -> None:
        """Forget what is old."""
        self._bus.trim()

    def close(self) -> None:
        """End the connection."""
        self._bus.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _CountedTail:
    def __init__(self, reader: Tail, stream: Stream, telemetry: Telemetry) -> None:
        self._reader = reader
        self._stream = stream
        self._telemetry = telemetry

    def fetch(self, most: int = 1000, wait_seconds: float = 1.0) -> Batch:
        batch = self._reader.fetch(most, wait_seconds)
        if batch.events:
            self._telemetry.received(self._stream, len(batch.events))
            # The one that has waited longest: one look for each batch costs next to nothing.
            self._telemetry.lag((time.time_ns() - min(batch.published_at)) / 1e9)
        if batch.missed:
            self._telemetry.error("missed")
        return batch

    def close(self) -> None:
        self._reader.close()


class _CountedConsumer(_CountedTail):
    def __init__(self, reader: Consumer, stream: Stream, telemetry: Telemetry) -> None:
        super().__init__(reader, stream, telemetry)
        self._consumer = reader

    def acknowledge(self, batch: Batch) -> None:
        self._consumer.acknowledge(batch)
