"""A filled database for the tests of the desk: one for each process, copied for those who write."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from api.desk.desk import DeskSettings
from database.connection import Database, open_database
from servers.postgres.local import PostgresServer
from tests.api.desk import seed
from tests.api.desk.application import Application
from tests.api.desk.small_lake import fill_lake
from tests.database.conftest import migrated_database, postgres, url_of  # noqa: F401 - fixtures

SETTINGS = DeskSettings(
    limits=seed.LIMITS, prefect_ui="http://127.0.0.1:4200", now=lambda: seed.NOW
)


@pytest.fixture(scope="session")
def filled(postgres: PostgresServer, migrated_database: str) -> str:  # noqa: F811 - fixtures
    """The name of a database as `seed` has it, for others to be copies of."""
    _execute(postgres, f"CREATE DATABASE filled TEMPLATE {migrated_database}")
    seed.fill(url_of(postgres, "filled"))
    return "filled"


@pytest.fixture
def desk_url(postgres: PostgresServer, filled: str) -> Iterator[str]:  # noqa: F811
    """The URL of a copy of it."""
    name = f"test_{uuid4().hex[:12]}"
    _execute(postgres, f"CREATE DATABASE {name} TEMPLATE {filled}")
    yield url_of(postgres, name)
    _execute(postgres, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def database(desk_url: str) -> Iterator[Database]:
    with open_database(desk_url) as opened:
        yield opened


@pytest.fixture(scope="session")
def lake_dir(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small lake; nobody writes into it."""
    folder = str(tmp_path_factory.mktemp("desk") / "lake")
    fill_lake(folder)
    return folder


@pytest.fixture
async def application(desk_url: str, tmp_path: Path) -> AsyncIterator[Application]:
    """The desk without keys and with an empty lake."""
    async with Application.running(desk_url, str(tmp_path), SETTINGS) as made:
        yield made


def _execute(server: PostgresServer, statement: str) -> None:
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(statement.encode())
