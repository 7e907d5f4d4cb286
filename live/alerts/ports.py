"""What the process needs of the bus, and of those who know more than the database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from live.bus.port import Consumer
from trading.alerts.observations import Survey
from trading.events import Event, Stream


class EventPublisher(Protocol):
    """The side of the bus that takes events."""

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        """Add events, each with its key, in order."""


@dataclass(frozen=True, slots=True)
class BusEnds:
    """What the process holds of the bus.

    Attributes:
        consumers: Of the streams of bars and of signals.
        publisher: Where alerts go.
    """

    consumers: Sequence[Consumer]
    publisher: EventPublisher


class Surveyor(Protocol):
    """Somebody who knows the state of a part of the platform."""

    def __call__(self, now: datetime) -> Survey | None:
        """What there is to find at a moment; None when that cannot be told now."""
