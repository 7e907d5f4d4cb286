"""A real Postgres for each process of tests, and a database of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from database.connection import Database, open_database
from database.schema import upgrade_schema
from servers.postgres.local import PostgresServer, local_postgres

_FAST = {"fsync": "off", "shared_buffers": "32MB", "autovacuum": "off"}


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """This process's server; it ends with the process, however that ends."""
    with local_postgres(Path(tmp_path_factory.mktemp("server")) / "postgres", _FAST) as server:
        yield server


@pytest.fixture(scope="session")
def migrated_database(postgres: PostgresServer) -> str:
    """The name of a database with the schema, for others to be copies of."""
    _create(postgres, "migrated_database", "template0")
    upgrade_schema(url_of(postgres, "migrated_database"))
    return "migrated_database"


@pytest.fixture
def empty_url(postgres: PostgresServer) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"test_{uuid4().hex[:12]}"
    _create(postgres, name, "template0")
    yield url_of(postgres, name)
    _drop(postgres, name)


@pytest.fixture
def database_url(postgres: PostgresServer, migrated_database: str) -> Iterator[str]:
    """The URL of a database with the schema and no rows."""
    with copied_database(postgres, migrated_database) as url:
        yield url


@contextmanager
def copied_database(postgres: PostgresServer, migrated_database: str) -> Iterator[str]:
    """The URL of another database with the schema and no rows."""
    name = f"test_{uuid4().hex[:12]}"
    _create(postgres, name, migrated_database)
    yield url_of(postgres, name)
    _drop(postgres, name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    with open_database(database_url) as opened:
        yield opened


def url_of(server: PostgresServer, name: str) -> str:
    return server.url.replace("/trading?", f"/{name}?")


def _create(server: PostgresServer, name: str, template: str) -> None:
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")


def _drop(server: PostgresServer, name: str) -> None:
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(server: PostgresServer, statement: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement.encode())
