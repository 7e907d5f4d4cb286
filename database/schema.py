"""Bring a database's schema up to date, by the migrations that the package brings along."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config

from database.address import connection_string, place
from database.connection import SCHEMA, connected, schema_version
from database.errors import SchemaError
from database.failures import database_errors, newer_schema

_LOCK = 0x7472_6164_6501
"""Of the advisory lock under which one process at a time changes the schema."""


def upgrade_schema(url: str) -> None:
    """Make the tables that are missing; the rows that are there stay.

    Raises:
        ParameterError: The URL cannot be used.
        UnreachableError: There is no connection.
        SchemaError: The server is too old, or the schema newer than this program.
        DatabaseError: The database refused; nothing was changed.
    """
    with connected(url) as connection, database_errors(url):
        found = schema_version(connection)
    if found is not None and found > SCHEMA:
        raise SchemaError(newer_schema(place(url), found, SCHEMA))
    if found == SCHEMA:
        return
    with database_errors(url), _driver_errors(), engine_of(url).begin() as transaction:
        transaction.execute(sqlalchemy.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        configuration = migrations()
        configuration.attributes["connection"] = transaction
        command.upgrade(configuration, "head")


def engine_of(url: str) -> sqlalchemy.Engine:
    """What Alembic speaks to the database through."""
    # By psycopg's own reading of the URL, which knows more than SQLAlchemy's.
    return sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(connection_string(url)),
        poolclass=sqlalchemy.NullPool,
    )


@contextlib.contextmanager
def _driver_errors() -> Iterator[None]:
    """Raise what SQLAlchemy wrapped."""
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        if isinstance(error.orig, Exception):
            raise error.orig from None
        raise


def migrations() -> Config:
    """Alembic's configuration: where the migrations are."""
    configuration = Config()
    folder = Path(__file__).with_name("migrations")
    configuration.set_main_option("script_location", str(folder).replace("%", "%%"))
    return configuration
