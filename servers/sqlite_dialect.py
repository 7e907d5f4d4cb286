"""SQLite for the local Prefect server's event loop, without a thread per connection.

SQLAlchemy's asynchronous SQLite hands each statement to a thread and waits for it, four times:
for the cursor, the statement, its rows and the cursor's end. A statement of the server takes
microseconds, each hand-over more than that; a flow run's life has 45 statements. And whatever
else the server does between two statements of a transaction can end in "database is locked".

Here statements run where they are called. A transaction is not interrupted between its
statements, so transactions of one process follow one another; only a lock that is held is waited
for, while the event loop goes on. A URL `sqlite+inloop:///FILE` chooses it.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import URL, Pool
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

LOCK_SECONDS = 60.0
"""How long another's lock is waited for: what Prefect tells SQLite."""

PAUSE_SECONDS = 0.002
"""Between two looks whether a lock is gone; most are held for some milliseconds."""

_PASSING = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_BUSY_RECOVERY}
"""Locks that go away. Of a transaction whose reads are outdated (SQLITE_BUSY_SNAPSHOT) no waiting
makes a writer."""


class Cursor(sqlite3.Cursor):
    """A cursor that never keeps the event loop waiting for a lock, and reads its rows at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._rows: deque[Any] = deque()

    def execute(self, statement: str, parameters: Any = (), /) -> Cursor:  # noqa: ANN401 - sqlite3's own
        """As in sqlite3.

        Raises:
            sqlite3.OperationalError: Among others, another's lock was not released in time.
        """
        # Prefect says how long SQLite should wait for locks; that would stop the event loop.
        if not statement.startswith("PRAGMA busy_timeout"):
            await_only(self._run(super().execute, statement, parameters))
        return self

    def executemany(self, statement: str, parameters: Any, /) -> Cursor:  # noqa: ANN401 - sqlite3's own
        """As in sqlite3; raises what `execute` does."""
        await_only(self._run(super().executemany, statement, parameters))
        return self

    async def _run(
        self,
        run: Callable[[str, Any], object],
        statement: str,
        parameters: Any,  # noqa: ANN401 - sqlite3's own
    ) -> None:
        if not self.connection.in_transaction:
            await asyncio.sleep(0)  # others' turn
        deadline = None
        while True:
            try:
                run(statement, parameters)
                break
            except sqlite3.OperationalError as error:
                deadline = deadline or time.monotonic() + LOCK_SECONDS
                if error.sqlite_errorcode not in _PASSING or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(PAUSE_SECONDS)
        # Rows left unread would keep their snapshot of the database.
        self._rows = deque(super().fetchall())

    def fetchone(self) -> Any:  # noqa: ANN401 - sqlite3's own
        """As in sqlite3."""
        return self._rows.popleft() if self._rows else None

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """As in sqlite3."""
        wanted = self.arraysize if size is None else size
        return [self._rows.popleft() for _ in range(min(wanted, len(self._rows)))]

    def fetchall(self) -> list[Any]:
        """As in sqlite3."""
        return self.fetchmany(len(self._rows))

    async def _async_soft_close(self) -> None:
        """What SQLAlchemy's results await of an asynchronous cursor: all rows are read already."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """As in sqlite3."""
        return iter(self.fetchall())


class Connection(sqlite3.Connection):
    """A connection whose cursors are of the class above."""

    def cursor(self) -> Cursor:  # type: ignore[override]
        """As in sqlite3."""
        return super().cursor(Cursor)


class InLoopDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's dialect for files, to be used with its asynchronous engine."""

    driver = "inloop"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:  # noqa: ARG003 - SQLAlchemy's signature
        """The pool for asynchronous engines."""
        return AsyncAdaptedQueuePool

    def connect(self, *arguments: Any, **options: Any) -> DBAPIConnection:  # noqa: ANN401 - SQLAlchemy's signature
        """Open a file; transactions begin where the caller says BEGIN, and nowhere else."""
        ours = {"factory": Connection, "isolation_level": None, "timeout": 0}
        return super().connect(*arguments, **options | ours)

    def get_driver_connection(self, connection: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's signature
        """The connection itself: nothing is wrapped."""
        return connection
