"""The database gone and back: what is old is said, nothing pretends, and it recovers by itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.prefect_runs import PrefectRuns, RunsUnavailableError
from api.services import Services
from database.api.keys import create_key
from database.api.pool import DatabasePool
from database.connection import open_database
from database.schema import upgrade_schema
from servers.postgres.local import local_postgres
from tests.api.conftest import served
from tests.waiting import wait_until

FAST = {"fsync": "off", "shared_buffers": "32MB"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Of a server that the test ends and starts again: too long for a socket to be in it."""
    with tempfile.TemporaryDirectory(prefix="trading-") as name:
        yield Path(name) / ("long-" * 20) / "postgres"


@pytest.fixture
def url(folder: Path, stored_lake: Path) -> Iterator[str]:
    with local_postgres(folder, FAST) as server:
        upgrade_schema(server.url)
        address = server.url
    services = Services(
        database=DatabasePool(address), lake_dir=str(stored_lake), keys_needed=False,
        runs=PrefectRuns("http://127.0.0.1:1/api"),
    )  # fmt: skip
    with served(services) as found:
        yield found


def states(url: str) -> dict[str, str]:
    parts = httpx.get(f"{url}/v1/health").json()["data"]["parts"]
    return {part["name"]: part["state"] for part in parts}


def test_it_says_what_is_old_and_recovers_by_itself(url: str, folder: Path) -> None:
    assert states(url)["database"] == "down"
    gone = httpx.get(f"{url}/v1/orders")
    assert (gone.status_code, gone.json()["error"]["code"]) == (503, "database_unavailable")
    bars = httpx.get(f"{url}/v1/bars/AAPL?limit=5").json()
    assert len(bars["data"]) == 5
    assert "database" in bars["meta"]["stale"]
    for _ in range(2):  # it ends between the two, with connections open to it
        with local_postgres(folder, FAST):
            wait_until(lambda: states(url)["database"] == "ok", "the database is found again")
            assert httpx.get(f"{url}/v1/orders").json()["data"] == []
            assert httpx.get(f"{url}/v1/bars/AAPL?limit=5").json()["meta"]["stale"] is None
        assert states(url)["database"] == "down"
        assert httpx.get(f"{url}/v1/orders").status_code == 503
    assert states(url)["prefect"] == "down"
    old = httpx.get(f"{url}/v1/health").json()["data"]["old"]
    assert any("orders" in word for word in old)
    assert any("runs" in word for word in old)


def test_a_key_cannot_be_checked_without_the_database(folder: Path, tmp_path: Path) -> None:
    with local_postgres(folder, FAST) as server:
        upgrade_schema(server.url)
        with open_database(server.url) as database:
            key = create_key(database, "k", "admin", "test")
        address = server.url
    services = Services(database=DatabasePool(address), lake_dir=str(tmp_path), keys_needed=True)
    with served(services) as url:
        response = httpx.get(f"{url}/v1/risk", headers={"Authorization": f"Bearer {key}"})
        assert response.status_code == 503
        assert httpx.get(f"{url}/v1/health").status_code == 200


def test_an_unreachable_prefect_server_is_reported() -> None:
    runs = PrefectRuns("http://127.0.0.1:1/api")
    with pytest.raises(RunsUnavailableError):
        runs.recent(1, 0)
    runs.close()
