"""Requests spaced evenly, with a pause for all when the other side asks for one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RequestPacer:
    """Lets callers of any thread through at most `per_second` times a second, evenly spaced.

    Evenly, because services that count requests do so over windows unknown to us: a burst that
    keeps the average can still be refused.
    """

    def __init__(
        self,
        per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spacing = 1.0 / per_second
        self._clock = clock
        self._sleep = sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when the caller's turn has come."""
        while (left := self._seconds_left()) > 0:
            self._sleep(left)

    def pause(self, seconds: float) -> None:
        """Let nobody through for the next `seconds`."""
        with self._lock:
            self._next = max(self._next, self._clock() + seconds)

    def _seconds_left(self) -> float:
        """Seconds until the next turn; zero or less takes the turn."""
        with self._lock:
            now = self._clock()
            left = self._next - now
            if left <= 0:
                self._next = now + self._spacing
            return left
