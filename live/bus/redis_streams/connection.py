"""A connection to Valkey or Redis that comes back, with errors in this room's own words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    OutOfMemoryError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from live.bus.reconnection import PATIENCE_SECONDS, until_connected
from live.bus.refusal import url_refusal
from live.errors import BusError, BusFullError

LONGEST_WAIT_SECONDS = 5.0
"""How long one read waits inside the server; longer waits are several."""

_ANSWER_SECONDS = 15.0
_LOST = (redis.ConnectionError, redis.TimeoutError)

T = TypeVar("T")


class RedisConnection:
    """A client whose every question is asked again until there is a connection.

    Args:
        url: `redis://`, `rediss://` or `unix://`, with the password if there is one.
        patience_seconds: How long to wait for a server that is away.

    Raises:
        ParameterError: The URL cannot be used; nothing of it is repeated.
    """

    def __init__(self, url: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self.place = _place(url)
        self._patience_seconds = patience_seconds
        try:
            self.client = redis.Redis.from_url(
                url,
                socket_timeout=_ANSWER_SECONDS,
                socket_connect_timeout=_ANSWER_SECONDS,
                # Ours waits longer, and says so.
                retry=Retry(NoBackoff(), 0),
                protocol=2,
            )
        except ValueError:
            raise url_refusal() from None

    def ask(self, question: Callable[[], T]) -> T:
        """What the server answers.

        Args:
            question: What to ask; it may be asked more than once.

        Raises:
            BusUnreachableError: There was no connection for too long.
            BusFullError: It has no room for more.
            BusError: It refused.
        """
        try:
            return until_connected(
                lambda: self._refused_or(question), _LOST, self.place, self._patience_seconds
            )
        except OutOfMemoryError as error:
            raise self._full("memory") from error
        except ResponseError as error:
            if str(error).startswith("MISCONF"):
                raise self._full("disk") from error
            raise BusError(f"The bus at {self.place} refused: {error}") from error
        except RedisError as error:
            raise BusError(f"The bus at {self.place} failed: {error}") from error

    def close(self) -> None:
        """End the connection; safe to call twice."""
        self.client.close()

    def _refused_or(self, question: Callable[[], T]) -> T:
        try:
            return question()
        except (AuthenticationError, AuthorizationError):
            # To the library a lost connection, but asking again brings the same.
            raise BusError(
                f"The bus at {self.place} refuses the login; correct the user and password in "
                "TRADING_BUS_URL."
            ) from None

    def _full(self, what: str) -> BusFullError:
        return BusFullError(
            f"The bus at {self.place} takes no more, its {what} is full; give it room, or keep "
            "ticks for fewer hours with TRADING_TICKS_HOURS."
        )


def _place(url: str) -> str:
    try:
        parts = urlsplit(url)
        where = f"{parts.hostname or 'localhost'}:{parts.port or 6379}"
    except ValueError:
        raise url_refusal() from None
    return parts.path if parts.scheme == "unix" else where
