"""How many requests a key may make: a fixed number in each minute of the clock."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from redis import Redis

WINDOW_SECONDS = 60


class RateWindow(Protocol):
    """Counts requests within the minute."""

    def count(self, who: str) -> tuple[int, int]:
        """Count one request; how many there are now, and the seconds until the count begins anew.

        Args:
            who: Whose request it is.
        """
        ...


class ProcessWindow:
    """Counts in this process; safe in many threads."""

    def __init__(self) -> None:
        self._minute = 0
        self._counts: dict[str, int] = {}
        self._guard = threading.Lock()

    def count(self, who: str) -> tuple[int, int]:
        """Count one request; see `RateWindow`."""
        minute, left = _minute()
        with self._guard:
            if minute != self._minute:
                self._minute, self._counts = minute, {}
            self._counts[who] = self._counts.get(who, 0) + 1
            return self._counts[who], left


class RedisWindow:
    """Counts in Redis, for several processes; in this one while Redis is gone.

    Args:
        redis: A client with short time-outs.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._alone = ProcessWindow()

    def count(self, who: str) -> tuple[int, int]:
        """Count one request; see `RateWindow`."""
        from redis import RedisError  # noqa: PLC0415 - for those alone who have Redis

        minute, left = _minute()
        key = f"api:requests:{minute}:{who}"
        try:
            with self._redis.pipeline() as pipeline:
                pipeline.incr(key)
                pipeline.expire(key, 2 * WINDOW_SECONDS)
                counted, _ = pipeline.execute()
        except RedisError:
            return self._alone.count(who)
        return int(counted), left


def _minute() -> tuple[int, int]:
    now = time.time()
    return int(now // WINDOW_SECONDS), WINDOW_SECONDS - int(now % WINDOW_SECONDS)
