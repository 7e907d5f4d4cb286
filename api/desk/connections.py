"""Connections to the database, lent to one thread at a time and kept for the next."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from database.connection import Database, open_database
from database.errors import UnreachableError


class Connections:
    """As many connections as were ever lent at once; safe to use from any thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[tuple[Database, contextlib.ExitStack]] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self) -> Iterator[Database]:
        """A connection for the time of the block.

        Raises:
            DatabaseError: There is none, or it failed within the block.
        """
        with self._lock:
            database, opened = self._idle.pop() if self._idle else (None, contextlib.ExitStack())
        if database is None:
            database = opened.enter_context(open_database(self._url))
        try:
            yield database
        except UnreachableError:
            opened.close()
            self.close()  # the others to that server are as dead
            raise
        except BaseException:
            opened.close()
            raise
        with self._lock:
            self._idle.append((database, opened))

    def close(self) -> None:
        """Close those that are not lent."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, opened in idle:
            opened.close()
