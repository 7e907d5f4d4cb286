"""Where ticks come from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from trading.events import CLOCK, Tick


class TickSource(Protocol):
    """A stream of ticks with the time between them.

    The time is told only when all ticks up to it were told: while a source knows of a gap it tells
    no time, so that no bar closes without what is in the gap.
    """

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""

    def take(self, wait_seconds: float) -> Sequence[Tick]:
        """The next ticks and times, in the order in which they are to be published.

        Args:
            wait_seconds: How long to wait for the first.

        Raises:
            SourceError: The source refuses for good, e.g. the key.
        """

    def subscribe(self, symbols: Collection[str]) -> None:
        """Ask for these symbols and no others from now on."""

    def figures(self) -> Mapping[str, Any]:
        """What it has done, for a sign of life."""

    def close(self) -> None:
        """End it; safe to call twice."""


def time_tick(ts: int) -> Tick:
    """The tick that tells the time."""
    return Tick(CLOCK, ts, 0.0, 0.0, 0)
