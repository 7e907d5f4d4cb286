"""Bars and signals as rules see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from trading.alerts.evaluation import Key, evaluated
from trading.alerts.machine import AlertState, Change
from trading.alerts.observations import Clock, Observation
from trading.alerts.rules import AlertRule
from trading.events import BarClosed, SignalMade

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
OPEN = 1_704_205_800 * SECOND  # 2024-01-02 9:30 in New York


def bar(number: int, close: float, symbol: str = "AAPL", revision: int = 0) -> BarClosed:
    ts = OPEN + number * MINUTE
    return BarClosed(
        symbol, "1m", ts, close, close, close, close, 100.0, ts + MINUTE, revision=revision
    )


def signal(
    number: int,
    said: Literal["buy", "hold", "sell"],
    fingerprint: str = "a1",
    **values: float | None,
) -> SignalMade:
    ts = OPEN + number * MINUTE
    return SignalMade(
        "vegas_channel", fingerprint, "AAPL", "1m", ts, said, 100.0, ts + MINUTE, values=values
    )


@dataclass
class Watch:
    """Rules that keep their states, as a process that evaluates batch after batch."""

    rules: Sequence[AlertRule]
    states: dict[Key, AlertState] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    now: int = OPEN

    def see(self, *observations: Observation) -> list[Change]:
        """What these observations make the rules tell, a clock's time being that on the wall."""
        for observation in observations:
            if isinstance(observation, Clock):
                self.now = max(self.now, observation.at)
            elif isinstance(observation, BarClosed | SignalMade):
                self.now = max(self.now, observation.available_at)
        found = evaluated(self.rules, self.states, observations, self.now)
        self.states |= found.states
        self.changes += found.changes
        return list(found.changes)
