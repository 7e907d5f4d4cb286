"""Where live events come from: handed in by whoever starts the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from trading.events import Event, Stream


class FeedLostError(Exception):
    """The bus is gone; the feed may be asked again."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One event of the bus.

    Attributes:
        stream: The stream that it came on.
        offset: Its place there, by which the stream is taken up again; None of one that came
            together with those behind it.
        event: The event.
        missed: Whether events before it are no longer to be had.
    """

    stream: Stream
    offset: str | None
    event: Event
    missed: bool = False


class Feed(Protocol):
    """The events of all streams as they happen, at least once, in order per key."""

    def events(self, after: Mapping[Stream, str]) -> AsyncIterator[FeedItem | None]:
        """What comes after the given places; of a stream without one, what comes from now on.

        None says, every few seconds, that the bus answers although nothing happened.

        Args:
            after: The offset of the last event that was seen, by stream.

        Raises:
            FeedLostError: The bus cannot be reached, or its connection broke.
        """
        ...
