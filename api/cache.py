"""Answers kept by what they are made of: the key changes when the data do, so none is ever old."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from redis import Redis

MOST_BYTES = 256 * 2**20
"""What a process keeps."""

MOST_SECONDS = 3_600
"""How long Redis keeps an answer."""

_LONGEST = 32 * 2**20
"""What is longer is not kept."""


class Cache(Protocol):
    """Bytes by a key that names all that they depend on."""

    def get(self, key: str) -> bytes | None:
        """What is kept under the key, None for nothing."""
        ...

    def put(self, key: str, content: bytes) -> None:
        """Keep content under a key; it may be forgotten at any time."""
        ...


class ProcessCache:
    """Kept in this process, what was not asked for longest goes first; safe in many threads.

    Args:
        most_bytes: How much is kept.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._guard = threading.Lock()

    def get(self, key: str) -> bytes | None:
        """What is kept under the key, None for nothing."""
        with self._guard:
            if (content := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
            return content

    def put(self, key: str, content: bytes) -> None:
        """Keep content under a key."""
        if len(content) > min(_LONGEST, self._most):
            return
        with self._guard:
            self._bytes += len(content) - len(self._kept.pop(key, b""))
            self._kept[key] = content
            while self._bytes > self._most:
                _, dropped = self._kept.popitem(last=False)
                self._bytes -= len(dropped)


class RedisCache:
    """Kept in Redis, for several processes; without an answer from it, nothing is kept.

    Args:
        redis: A client with short time-outs.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def get(self, key: str) -> bytes | None:
        """What is kept under the key, None for nothing or when Redis is gone."""
        from redis import RedisError  # noqa: PLC0415 - for those alone who have Redis

        try:
            content = self._redis.get(f"api:answer:{key}")
        except RedisError:
            return None
        return content if isinstance(content, bytes) else None

    def put(self, key: str, content: bytes) -> None:
        """Keep content under a key, if Redis takes it."""
        from redis import RedisError  # noqa: PLC0415 - for those alone who have Redis

        if len(content) > _LONGEST:
            return
        try:
            self._redis.set(f"api:answer:{key}", content, ex=MOST_SECONDS)
        except RedisError:
            return
