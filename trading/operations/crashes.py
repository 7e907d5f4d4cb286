"""A process that crashes again and again as soon as it is begun, as people are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trading.operations.health import age_text

AT_ONCE = 3
"""So many crashes in a row, each right after a start, are no accident."""


@dataclass(frozen=True, slots=True)
class Crashes:
    """Crashes in a row, each right after the process was begun.

    Attributes:
        service: What the process is, e.g. `windows`.
        since: When the first of them was.
        count: How many there are.
        said: The last line that it said.
    """

    service: str
    since: datetime
    count: int
    said: str

    def sentence(self, now: datetime) -> str:
        """What to tell of it, without a stop."""
        return (
            f"{self.service} is down: it crashed {self.count} times in the last "
            f"{age_text(now - self.since)}, and is restarted with growing pauses; it last said: "
            f"{self.said.rstrip('.')}"
        )
