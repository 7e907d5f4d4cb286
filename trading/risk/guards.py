"""Guards: after what an account has just gone through, where it may not enter for a while."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from trading.portfolio.account import RoundTrip

EVERYWHERE = ""
"""What a lock of all symbols is called."""

_MICROSECOND = 1_000
"""Nanoseconds."""


def _nanoseconds(duration: timedelta) -> int:
    return duration // timedelta(microseconds=1) * _MICROSECOND


class Guard(Protocol):
    """One rule over the positions that ended."""

    def locks(self, trips: Sequence[RoundTrip], stopped: frozenset[str], now: int) -> list[str]:
        """The symbols in which nothing may be entered now, `EVERYWHERE` for all.

        Args:
            trips: Positions that ended, in order of time.
            stopped: The orders that were stop losses.
            now: Nanoseconds since 1970 in UTC.
        """


def _since(trips: Sequence[RoundTrip], start: int) -> Iterator[RoundTrip]:
    """The trips that ended after `start`, newest first."""
    for trip in reversed(trips):
        if trip.closed <= start:
            return
        yield trip


def _by_symbol(trips: Iterable[RoundTrip]) -> dict[str, list[RoundTrip]]:
    found: dict[str, list[RoundTrip]] = {}
    for trip in trips:
        found.setdefault(trip.symbol, []).append(trip)
    return found


@dataclass(frozen=True, slots=True)
class StopLossStreak:
    """No entry anywhere while `count` positions were stopped out at a loss within `within`."""

    count: int
    within: timedelta

    def locks(self, trips: Sequence[RoundTrip], stopped: frozenset[str], now: int) -> list[str]:
        """All symbols or none."""
        recent = _since(trips, now - _nanoseconds(self.within))
        losses = sum(trip.order_id in stopped and trip.pnl < 0 for trip in recent)
        return [EVERYWHERE] if losses >= self.count else []


@dataclass(frozen=True, slots=True)
class CoolDown:
    """No entry in a symbol within `after` the end of a position in it."""

    after: timedelta

    def locks(self, trips: Sequence[RoundTrip], stopped: frozenset[str], now: int) -> list[str]:  # noqa: ARG002 - the protocol's
        """The symbols that were just left."""
        return list(_by_symbol(_since(trips, now - _nanoseconds(self.after))))


@dataclass(frozen=True, slots=True)
class LowProfit:
    """No entry in a symbol whose positions within `within`, at least `count`, earned too little.

    Attributes:
        count: Fewer positions say nothing.
        within: How far back they count.
        least: What they must have earned together, after fees, as money.
    """

    count: int
    within: timedelta
    least: int = 0

    def locks(self, trips: Sequence[RoundTrip], stopped: frozenset[str], now: int) -> list[str]:  # noqa: ARG002 - the protocol's
        """The symbols that earned too little."""
        recent = _by_symbol(_since(trips, now - _nanoseconds(self.within)))
        return [
            symbol
            for symbol, own in recent.items()
            if len(own) >= self.count and sum(trip.pnl for trip in own) < self.least
        ]
