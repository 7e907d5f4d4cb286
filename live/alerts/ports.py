"""What the process needs of the bus and of those who know more than the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from trading.alerts.observations import Survey
from trading.events import Event, Stream


class EventBatch(Protocol):
    """Events that were read together."""

    @property
    def events(self) -> Sequence[Event]:
        """The events, in order for each key."""


B = TypeVar("B", bound=EventBatch)


class EventConsumer(Protocol[B]):
    """A member of a consumer group of the bus."""

    def fetch(self, most: int = ..., wait_seconds: float = ...) -> B:
        """The next events, at least once each."""

    def acknowledge(self, batch: B) -> None:
        """Say that all of a batch is done."""


class EventPublisher(Protocol):
    """The side of the bus that takes events."""

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        """Add events, each with its key, in order."""


@dataclass(frozen=True, slots=True)
class BusEnds(Generic[B]):
    """What the process holds of the bus.

    Attributes:
        consumers: Of the streams of bars and of signals.
        publisher: Where alerts go.
    """

    consumers: Sequence[EventConsumer[B]]
    publisher: EventPublisher


class Surveyor(Protocol):
    """Somebody who knows the state of a part of the platform."""

    def __call__(self, now: datetime) -> Survey | None:
        """What there is to find at a moment; None when that cannot be told now."""
