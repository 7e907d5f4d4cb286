"""A connection to the database: rows by psycopg, tables in bulk by ADBC."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import TupleRow

from database.address import URL_VARIABLE, connection_string, place
from database.errors import SchemaError, UnreachableError
from database.failures import database_errors, newer_schema, why_unreachable

if TYPE_CHECKING:
    from adbc_driver_manager import AdbcConnection, dbapi

OLDEST_SERVER = 18
"""The first version with `RETURNING old.x, new.x`."""

SCHEMA = "0007"
"""The version of the schema that this program reads and writes."""

_NO_WAIT = "SET synchronous_commit TO off"


class Database:
    """An open database; used by one thread at a time.

    Attributes:
        url: Its address, perhaps with a password.
        rows: For statements on few rows; commits each by itself outside a transaction.
        rebuilds: Whether what it writes can be written again: it does not wait for the disk.
    """

    def __init__(
        self, url: str, rows: psycopg.Connection[TupleRow], *, rebuilds: bool = False
    ) -> None:
        self.url = url
        self.rows = rows
        self.rebuilds = rebuilds
        if rebuilds:
            rows.execute(_NO_WAIT)
        self._tables: dbapi.Connection | None = None

    @contextlib.contextmanager
    def tables(self) -> Iterator[dbapi.Cursor]:
        """A cursor that takes and gives Arrow tables, in a transaction of its own.

        What it did is committed when the block ends, and undone when the block fails.

        Raises:
            DatabaseError: The database did not do it.
        """
        from adbc_driver_manager import dbapi  # noqa: PLC0415 - slow, and not all need it

        with database_errors(self.url, dbapi.Error):
            connection = self._bulk_connection()
            # The driver's own: those of the connection do nothing on one that commits by itself.
            driver = connection.adbc_connection
            driver.set_autocommit(enabled=False)
            try:
                with connection.cursor() as cursor:
                    yield cursor
                driver.commit()
                driver.set_autocommit(enabled=True)
            except BaseException:
                self._undo(driver)
                raise

    def _undo(self, driver: AdbcConnection) -> None:
        """Roll back; a connection on which that fails is closed, which does it too."""
        from adbc_driver_manager import dbapi  # noqa: PLC0415 - slow, and not all need it

        try:
            driver.rollback()
            driver.set_autocommit(enabled=True)
        except dbapi.Error:
            if self._tables is not None:
                self._tables.close()
                self._tables = None

    @contextlib.contextmanager
    def transaction(self) -> Iterator[psycopg.Connection[TupleRow]]:
        """A transaction for statements on few rows.

        Raises:
            DatabaseError: The database did not do it.
        """
        with database_errors(self.url), self.rows.transaction():
            yield self.rows

    @contextlib.contextmanager
    def single_statements(self) -> Iterator[psycopg.Connection[TupleRow]]:
        """For statements that stand alone: each takes one round trip, and a transaction three.

        Within a transaction they are part of it.

        Raises:
            DatabaseError: The database did not do it.
        """
        with database_errors(self.url):
            yield self.rows

    def close(self) -> None:
        """Close what is open; safe to call twice."""
        if self._tables is not None:
            self._tables.close()
            self._tables = None
        self.rows.close()

    def _bulk_connection(self) -> dbapi.Connection:
        if self._tables is None:
            from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - slow, and not all need it

            self._tables = dbapi.connect(connection_string(self.url), autocommit=True)
            with self._tables.cursor() as cursor:
                cursor.execute("SET TIME ZONE 'UTC'")
                # A transaction that waited for a lock has to see what the one before it wrote.
                cursor.execute("SET default_transaction_isolation TO 'read committed'")
                if self.rebuilds:
                    cursor.execute(_NO_WAIT)
        return self._tables


@contextlib.contextmanager
def open_database(url: str, *, rebuilds: bool = False) -> Iterator[Database]:
    """The database at `url`, with the schema that this program needs.

    Args:
        url: Its address.
        rebuilds: Whether all that is written can be written again, as what comes from the lake can:
            a crash of the server may lose the last transactions, each as a whole, and in exchange
            none waits for the disk. Never for the books.

    Raises:
        ParameterError: The URL cannot be used.
        UnreachableError: There is no connection.
        SchemaError: The server or the schema is too old or too new.
    """
    with contextlib.closing(connected(url)) as rows:
        _check_schema(url, rows)
        with contextlib.closing(Database(url, rows, rebuilds=rebuilds)) as database:
            yield database


def connected(url: str) -> psycopg.Connection[TupleRow]:
    """A connection to a server of a version that can be used, whatever its schema.

    Raises:
        ParameterError: The URL cannot be used.
        UnreachableError: There is no connection.
        SchemaError: The server is too old.
    """
    where = place(url)
    try:
        connection = psycopg.connect(connection_string(url), autocommit=True)
    except psycopg.OperationalError as error:
        raise UnreachableError(why_unreachable(where, str(error))) from None
    version = connection.info.server_version // 10_000
    if version < OLDEST_SERVER:
        connection.close()
        raise SchemaError(
            f"The database at {where} is Postgres {version}, and {OLDEST_SERVER} or later is "
            f"needed; upgrade that server or set {URL_VARIABLE} to another one."
        )
    connection.execute("SET TIME ZONE 'UTC'")
    return connection


def _check_schema(url: str, connection: psycopg.Connection[TupleRow]) -> None:
    with database_errors(url):
        found = schema_version(connection)
    if found == SCHEMA:
        return
    where = place(url)
    if found is not None and found > SCHEMA:
        raise SchemaError(newer_schema(where, found, SCHEMA))
    problem = "has no tables yet" if found is None else f"has the older schema {found}"
    raise SchemaError(f"The database at {where} {problem}; run `trading lake load` to fill it.")


def schema_version(connection: psycopg.Connection[TupleRow]) -> str | None:
    """The version of the schema in the database, None when it has none."""
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except psycopg.errors.UndefinedTable:
        return None
    return str(row[0]) if row else None
