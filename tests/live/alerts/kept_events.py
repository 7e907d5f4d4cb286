"""The bus at its worst: a consumer that gets everything from the start again each time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from live.bus.port import Batch
from trading.events import Event, Stream


@dataclass
class KeptEvents:
    """Events that are handed out `most_at_once` at a time, from the first on."""

    events: Sequence[Event]
    most_at_once: int = 1000
    position: int = 0
    acknowledged: int = 0

    def fetch(self, most: int = 1000, wait_seconds: float = 0.0) -> Batch:
        del wait_seconds
        end = min(len(self.events), self.position + min(most, self.most_at_once))
        events = self.events[self.position : end]
        self.position = end
        return Batch(events, [0] * len(events), str(end))

    def acknowledge(self, batch: Batch) -> None:
        self.acknowledged += len(batch.events)

    def close(self) -> None:
        """Nothing to leave."""


@dataclass
class Published:
    """What the bus was given."""

    events: list[Event] = field(default_factory=list)
    is_down: bool = False

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        assert stream is Stream.ALERTS
        if self.is_down:
            raise ConnectionError("the bus is away")
        self.events += [event for _, event in events]
