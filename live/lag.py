"""How long events take: percentiles over the last of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np

KEPT = 10_000


class Lag:
    """Times between two moments, the last `KEPT` of them."""

    def __init__(self) -> None:
        self._milliseconds: deque[float] = deque(maxlen=KEPT)

    def add(self, nanoseconds: Iterable[int]) -> None:
        """Note some."""
        self._milliseconds.extend(one / 1e6 for one in nanoseconds)

    def milliseconds(self) -> dict[str, float | None]:
        """The median and the 99th percentile; None where nothing was noted."""
        if not self._milliseconds:
            return {"p50": None, "p99": None}
        p50, p99 = np.percentile(np.fromiter(self._milliseconds, float), [50, 99]).tolist()
        return {"p50": round(p50, 1), "p99": round(p99, 1)}
