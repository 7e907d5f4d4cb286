"""A database and a lake as the API finds them, and the API on a port of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from uuid import uuid4

import httpx
import psycopg
import pytest
import uvicorn

from api.app import create_app
from api.services import Services
from database.api.keys import ROLES, create_key
from database.api.pool import DatabasePool
from database.connection import open_database
from lake.gold.dataset import GoldDataset
from servers.postgres.local import PostgresServer
from tests.api.rows import fill
from tests.api.started_runs import Started
from tests.database.conftest import (  # noqa: F401 - fixtures of this folder
    database,
    database_url,
    migrated_database,
    postgres,
    url_of,
)
from tests.lake.bronze_files import write_days, write_minutes
from tests.lake.building import build
from tests.lake.gold.test_gold import asked, make_silver
from tests.waiting import wait_until

FIRST, LAST = date(2024, 1, 2), date(2024, 1, 8)


@pytest.fixture(scope="session")
def seeded_url(postgres: PostgresServer, migrated_database: str) -> str:  # noqa: F811 - the fixtures
    """A database with an afternoon's rows, for tests that change none of them."""
    name = f"seeded_{uuid4().hex[:12]}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_database}".encode())
    url = url_of(postgres, name)
    fill(url)
    return url


@pytest.fixture(scope="session")
def stored_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with minutes and days of a symbol, silver and gold; for tests that change nothing."""
    lake = tmp_path_factory.mktemp("lake")
    write_minutes(lake, "AAPL", FIRST, LAST)
    write_days(lake, "AAPL", date(2022, 1, 3), LAST)
    make_silver(lake)
    build(GoldDataset(), asked(lake))
    return lake


@contextlib.contextmanager
def served(services: Services) -> Iterator[str]:
    """The API on a free port of the loopback interface; its URL."""
    config = uvicorn.Config(
        create_app(services), host="127.0.0.1", port=0, log_level="warning", lifespan="on",
        ws_per_message_deflate=False,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started or not thread.is_alive(), "the API listens")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="session")
def client(seeded_url: str, stored_lake: Path) -> Iterator[httpx.Client]:
    """A client of an API that needs no key."""
    services = Services(
        database=DatabasePool(seeded_url), lake_dir=str(stored_lake), keys_needed=False,
        runs=Started(missing=None),
    )  # fmt: skip
    with served(services) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened


def keys_for(url: str) -> dict[str, str]:
    """A key of each role."""
    with open_database(url) as opened:
        return {role: create_key(opened, role, role, "test") for role in ROLES}
