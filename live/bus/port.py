"""The bus as processes see it: at least once, in order for each key.

An event may come twice, after a crash or a lost connection: a consumer knows one that it has seen
by its `identity`. Everything here blocks, since each process does one thing in one loop; who has
an event loop calls it in a thread. A lost connection is made again with growing pauses; only when
there is none for longer than the bus's patience does a call fail.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from trading.events import Event, Stream

BEGINNING = "beginning"
"""The offset before the first event that a stream still has."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that were read together, in the order of the stream for each key.

    Attributes:
        events: The events; none when there was nothing in the time waited.
        published_at: When the bus got each of them, nanoseconds since 1970 in UTC, as exact as
            the bus knows it (milliseconds).
        offset: The place after the last of them; what `Bus.tail` goes on from.
        missed: Whether events before these were trimmed unread.
        receipt: What the bus knows the batch by when it is acknowledged.
    """

    events: Sequence[Event]
    published_at: Sequence[int]
    offset: str
    missed: bool = False
    receipt: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a reader could not make sense of, kept aside.

    Attributes:
        stream: Where it was.
        offset: Its place there; the same one may be kept more than once.
        reason: Why it is here.
        payload: The bytes.
    """

    stream: Stream
    offset: str
    reason: str
    payload: bytes


class Consumer(Protocol):
    """One member of a group: each event goes to one member, and again to one until acknowledged."""

    def fetch(self, most: int = 1000, wait_seconds: float = 1.0) -> Batch:
        """The next events: first those that this or a dead member got and did not acknowledge.

        Args:
            most: How many, about; what was published together comes together.
            wait_seconds: How long to wait for the first.

        Raises:
            BusError: The bus cannot be read.
        """

    def acknowledge(self, batch: Batch) -> None:
        """Say that all of a batch is done; it comes no more.

        Raises:
            BusError: The bus cannot be written.
        """

    def close(self) -> None:
        """Leave the group: another member goes on at once. Safe to call twice."""


class Tail(Protocol):
    """A reader by itself: it gets every event and acknowledges none."""

    def fetch(self, most: int = 1000, wait_seconds: float = 1.0) -> Batch:
        """The next events.

        Args:
            most: How many, about; what was published together comes together.
            wait_seconds: How long to wait for the first.

        Raises:
            BusError: The bus cannot be read.
        """

    def close(self) -> None:
        """Stop reading; safe to call twice."""


class Bus(Protocol):
    """Streams of events; used by one thread at a time, as are its consumers and tails."""

    def publish(self, stream: Stream, key: str, event: Event) -> None:
        """Add an event; it is kept when this returns.

        Args:
            stream: One that carries events of this type.
            key: Events of the same key stay in order, e.g. the symbol.
            event: The event.

        Raises:
            BusError: It is not known to be kept; it may be published again.
        """

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        """Add events, each with its key, in order; all are kept when this returns.

        Raises:
            BusRewoundError: The bus lost what this publisher gave it before; none was added.
            BusError: Not all are known to be kept; they may be published again.
        """

    def consume(
        self,
        stream: Stream,
        group: str,
        consumer: str,
        start: Literal["first", "latest"] = "first",
    ) -> Consumer:
        """Join a group.

        Args:
            stream: What to read.
            group: Who shares the work; each group gets every event.
            consumer: This member's name; the same after a restart, different between members.
            start: Where a group begins that is new: with the first event kept, or what comes now.
        """

    def tail(self, stream: Stream, after: str | None = None) -> Tail:
        """Read without a group.

        Args:
            stream: What to read.
            after: A batch's offset, or `BEGINNING`; None for what comes from now on.

        Raises:
            BusError: The offset is none of this bus.
        """

    def read_latest(self, stream: Stream, count: int = 1000) -> Batch:
        """About the last `count` events of a stream; a tail after its offset goes on from there.

        Raises:
            BusError: The bus cannot be read.
        """

    def dead_letters(self, count: int = 100) -> Sequence[DeadLetter]:
        """The last `count` of what was kept aside, the latest at the end.

        Raises:
            BusError: The bus cannot be read.
        """

    def trim(self) -> None:
        """Forget what is older than each stream keeps; publishers do it now and then by themselves.

        Raises:
            BusError: The bus cannot be written.
        """

    def close(self) -> None:
        """End the connection; safe to call twice."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...
