"""Logs of ticks for tests: a short session of some symbols."""

from __future__ import annotations

from datetime import date

import numpy as np

from trading.events import CLOCK, Tick
from trading.instruments.calendar import sessions

MINUTE = 60 * 10**9
DAY = date(2024, 7, 3)
"""A day that closes at 13:00 in New York."""


def hours(day: date = DAY) -> tuple[int, int]:
    within = sessions(day, day)
    return int(within.opens.astype(np.int64)[0]), int(within.closes.astype(np.int64)[0])


def clock(ts: int) -> Tick:
    return Tick(CLOCK, ts, 0.0, 0.0, 0)


def random_log(seed: int, count: int = 2_000, minutes: int = 70) -> list[Tick]:
    """Ticks of the session's first minutes with the time between them: some late, some twice."""
    rng = np.random.default_rng(seed)
    open_, _ = hours()
    moments = np.sort(rng.integers(0, minutes * MINUTE, count))
    log = [clock(open_)]
    told = 0
    for number, moment in enumerate(moments.tolist()):
        late = int(rng.integers(0, 3 * MINUTE)) if rng.random() < 0.05 else 0
        tick = Tick(
            f"S{rng.integers(0, 5)}", open_ + max(0, moment - late),
            round(100 + float(rng.normal()), 2), float(rng.integers(1, 500)), number,
        )  # fmt: skip
        log += [tick] * (2 if rng.random() < 0.05 else 1)
        if moment // 10**10 > told:
            told = moment // 10**10
            log.append(clock(open_ + moment))
    return [*log, clock(open_ + (minutes + 5) * MINUTE)]
