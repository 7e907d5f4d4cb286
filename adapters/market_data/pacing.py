"""Requests spaced evenly, with a pause for all when the other side asks for one."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


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


_PACERS: dict[tuple[str, str, float], RequestPacer] = {}
_PACERS_LOCK = threading.Lock()


def shared_pacer(host: str, per_second: float, key: str = "") -> RequestPacer:
    """The one pacer of this process for a service and a key, whoever asks for it.

    A service counts by key and address, not by object: two sources of the same key share a limit.

    Args:
        host: The service's address.
        per_second: Requests a second.
        key: What the service counts by; only its hash is kept.
    """
    name = (host, hashlib.sha256(key.encode()).hexdigest(), per_second)
    with _PACERS_LOCK:
        if name not in _PACERS:
            _PACERS[name] = RequestPacer(per_second)
        return _PACERS[name]


def retry_after_seconds(header: str | None) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110, 10.2.3): a number or a date."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, (parsedate_to_datetime(header) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
