"""Simulated time, which runs faster than the wall clock by a factor."""

from __future__ import annotations

import time

AT_ONCE = 0.0
"""The speed at which nothing is waited for."""


class Pace:
    """Simulated time since some moment of it.

    Args:
        begin: That moment, nanoseconds since 1970 in UTC.
        speed: Simulated seconds in a second; `AT_ONCE` for as fast as it goes.
    """

    def __init__(self, begin: int, speed: float) -> None:
        self._begin = begin
        self._speed = speed
        self._started = time.monotonic()

    def wait_until(self, moment: int, most_seconds: float) -> bool:
        """Wait for a simulated moment, but not longer than some seconds; whether it has come."""
        if self._speed == AT_ONCE:
            return True
        due = self._started + (moment - self._begin) / 1e9 / self._speed
        left = due - time.monotonic()
        if left > 0:
            time.sleep(min(left, most_seconds))
        return time.monotonic() >= due

    def jump(self, begin: int) -> None:
        """Go on from another moment, as from one session to the next."""
        self._begin = begin
        self._started = time.monotonic()
