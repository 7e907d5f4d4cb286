"""The time of an executor: the wall's, or that of the events when a replay tells of the past."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Protocol

from trading.instruments.clock import moment_of


class ExecutorClock(Protocol):
    """What an executor takes the time from."""

    def __call__(self) -> datetime:
        """The time, aware."""

    def saw(self, moments: Iterable[int]) -> None:
        """Events that could first be acted on at these moments have come."""


class WallClock:
    """The time of this machine."""

    def __call__(self) -> datetime:
        """Now."""
        return datetime.now(UTC)

    def saw(self, moments: Iterable[int]) -> None:
        """Nothing: time goes on by itself."""


class EventClock:
    """The time of the newest event: in a replay an hour may take a second.

    Args:
        start: The time before the first event.
    """

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        """The newest event's time."""
        return self._now

    def saw(self, moments: Iterable[int]) -> None:
        """Go on to the newest."""
        newest = max(map(moment_of, moments), default=self._now)
        self._now = max(self._now, newest)
