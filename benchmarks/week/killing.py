"""Kill processes at moments drawn at random, always the same of a seed."""

from __future__ import annotations

import contextlib
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil

from benchmarks.week.plan import Plan
from benchmarks.week.platform import (
    BACKEND,
    COMMAND,
    KEEPERS,
    PROCESSES,
    SERVERS,
    STREAM,
    Platform,
)
from trading.instruments.calendar import sessions

EACH = (*PROCESSES, *SERVERS, COMMAND)
OTHERS = (*PROCESSES, *PROCESSES, *PROCESSES, *SERVERS, *SERVERS, COMMAND, BACKEND, *KEEPERS)
"""Each is killed once before any is again; then some are drawn more often than others."""

PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Kill:
    """What is killed, and when.

    Attributes:
        moment: A simulated moment, nanoseconds since 1970 in UTC.
        name: Which process.
    """

    moment: int
    name: str


def drawn_kills(plan: Plan, per_session: int, seed: int) -> list[Kill]:
    """So many kills in each session of a plan."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    within = sessions(plan.first, plan.last)
    moments = [
        round(draw.uniform(0.02, 0.95) * (close - begin)) + begin
        for begin, close in zip(
            within.opens.astype(np.int64).tolist(), within.closes.astype(np.int64).tolist(),
            strict=True,
        )
        for _ in range(per_session)
    ]  # fmt: skip
    first = draw.sample(EACH, len(EACH))
    names = [*first, *draw.choices(OTHERS, k=max(0, len(moments) - len(first)))]
    return [Kill(*one) for one in zip(sorted(moments), names, strict=False)]


@dataclass(slots=True)
class Killer:
    """Ends one process after the other, without a word to it.

    Attributes:
        platform: Whose processes.
        due: What is still to be killed, in order of time.
        kills: How often each was killed.
    """

    platform: Platform
    due: Sequence[Kill]
    kills: Counter[str] = field(default_factory=Counter)
    _not_before: float = 0.0

    @property
    def has_more(self) -> bool:
        """Whether something is to be killed that also runs when all is told."""
        return any(kill.name != STREAM for kill in self.due)

    def look(self, told: int) -> None:
        """Kill the first that is due and alive; one that is dead is waited for, and no other."""
        if time.monotonic() < self._not_before:
            return
        alive = self.platform.processes()
        for kill in self.due:
            if kill.moment > told:
                return
            if kill.name in alive or kill.name in KEEPERS:
                self._kill(kill, alive.get(kill.name))
                return

    def _kill(self, kill: Kill, victim: psutil.Process | None) -> None:
        self.due = [other for other in self.due if other is not kill]
        self._not_before = time.monotonic() + PAUSE_SECONDS
        if victim is not None:
            with contextlib.suppress(psutil.Error):
                victim.kill()
                self.kills[kill.name] += 1
