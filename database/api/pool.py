"""A few connections that threads take turns with, and that come back after the server was gone."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from database.address import place
from database.connection import Database, open_database
from database.errors import DatabaseError, UnreachableError
from database.failures import database_errors

WAIT_SECONDS = 5.0
"""How long a thread waits for a connection that others have."""

STATEMENT_SECONDS = 10
"""The longest that one statement may take."""

_TRUSTED_SECONDS = 1.0
"""How long a connection that was just used counts as working."""

_PAUSE_SECONDS = 0.5
"""After a connection failed, others fail at once for this long: a dead host is not waited for."""


class DatabasePool:
    """Connections to one database, made when first needed; safe to use from many threads.

    Args:
        url: The database.
        size: How many connections there may be.
    """

    def __init__(self, url: str, size: int = 8) -> None:
        self.url = url
        self._free = threading.BoundedSemaphore(size)
        self._guard = threading.Lock()
        self._idle: list[_Held] = []
        self._failure: tuple[float, DatabaseError] | None = None

    @contextlib.contextmanager
    def connection(self) -> Iterator[Database]:
        """A connection of this thread's own until the block ends.

        Raises:
            UnreachableError: There is no connection, or none became free in time.
            DatabaseError: The block's own.
        """
        if not self._free.acquire(timeout=WAIT_SECONDS):
            raise UnreachableError(
                f"The database at {place(self.url)} is too busy; try again in a few seconds."
            )
        try:
            held = self._taken()
            try:
                yield held.database
            except UnreachableError:
                held.close()
                self._forget()
                raise
            except BaseException:
                # Whether its transaction is at an end is not known.
                held.close()
                raise
            self._give_back(held)
        finally:
            self._free.release()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        self._forget()

    def _taken(self) -> _Held:
        while held := self._pop():
            if held.works():
                return held
            held.close()
        return self._connected()

    def _pop(self) -> _Held | None:
        with self._guard:
            return self._idle.pop() if self._idle else None

    def _connected(self) -> _Held:
        failure = self._failure
        if failure is not None and time.monotonic() < failure[0]:
            raise type(failure[1])(str(failure[1]))
        try:
            held = _Held(self.url)
        except DatabaseError as error:
            self._failure = (time.monotonic() + _PAUSE_SECONDS, error)
            raise
        self._failure = None
        return held

    def _give_back(self, held: _Held) -> None:
        held.used_at = time.monotonic()
        with self._guard:
            self._idle.append(held)

    def _forget(self) -> None:
        with self._guard:
            idle, self._idle = self._idle, []
        for held in idle:
            held.close()


class _Held:
    """One connection, and when it last worked."""

    def __init__(self, url: str) -> None:
        self._stack = contextlib.ExitStack()
        self.database = self._stack.enter_context(open_database(url))
        self.used_at = time.monotonic()
        with database_errors(url):
            self.database.rows.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())

    def works(self) -> bool:
        """Whether the server still answers; one that was just used is believed."""
        if time.monotonic() - self.used_at < _TRUSTED_SECONDS:
            return True
        try:
            with database_errors(self.database.url):
                self.database.rows.execute("SELECT 1")
        except DatabaseError:
            return False
        return True

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._stack.close()
