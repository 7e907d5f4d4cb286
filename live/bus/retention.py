"""How long each stream keeps its events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from trading.events import Stream

TICKS_HOURS = 48.0
OTHER_DAYS = 7.0


@dataclass(frozen=True, slots=True)
class Retention:
    """Ages at which events are forgotten.

    Attributes:
        ticks_hours: That of ticks, which are many.
        other_days: That of all others.
    """

    ticks_hours: float = TICKS_HOURS
    other_days: float = OTHER_DAYS

    def milliseconds(self, stream: Stream) -> int:
        """The age of a stream's events, in milliseconds."""
        age = (
            timedelta(hours=self.ticks_hours)
            if stream is Stream.TICKS
            else timedelta(days=self.other_days)
        )
        return int(age / timedelta(milliseconds=1))
