"""Kill processes at random, always the same of a seed."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from dataclasses import dataclass, field

import psutil

from benchmarks.week.platform import COMMAND, PROCESSES, SERVERS, Platform

WEIGHTS = (
    dict.fromkeys(PROCESSES, 4)
    | dict.fromkeys(SERVERS, 3)
    | {"a backend": 2, COMMAND: 2}
    | {f"keeper of {name}": 1 for name in SERVERS}
)
"""How often each is chosen, against the others."""


@dataclass(slots=True)
class Killer:
    """Ends one process after the other, without a word to it.

    Attributes:
        platform: Whose processes.
        every: Seconds between two, on the average; 0 for none.
        seed: Of the draw.
        kills: How often each was killed.
    """

    platform: Platform
    every: float
    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    _draw: random.Random = field(init=False)
    _due: float = field(init=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)  # noqa: S311 - no secret
        self._due = time.monotonic() + self._pause()

    def look(self) -> None:
        """Kill one when it is time."""
        if not self.every or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._pause()
        (name,) = self._draw.choices(list(WEIGHTS), list(WEIGHTS.values()))
        victim = self.platform.processes().get(name)
        if victim is None:
            return  # it is dead already
        with contextlib.suppress(psutil.Error):
            victim.kill()
            self.kills[name] += 1
            print(f"  killed {name}", flush=True)

    def _pause(self) -> float:
        return self._draw.uniform(0.5, 1.5) * self.every
