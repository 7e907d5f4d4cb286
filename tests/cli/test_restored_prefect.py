"""Prefect's database in the local Postgres server, where the platform's own is elsewhere."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from flows.boundary.settings import settings
from flows.operations.backing_up import PREFECT_DATABASE, plain
from servers.postgres.local import local_postgres
from servers.postgres.prefect_database import prefect_database_url
from tests.cli.in_process import answer
from tests.database.conftest import empty_url

__all__ = ["empty_url"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("named_database")]


def test_it_is_restored_into_the_server_of_this_machine(
    database_url: str, empty_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, servers = str(tmp_path / "backups"), tmp_path / "servers"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE of_prefect AS SELECT 7 AS number")
    monkeypatch.setenv(PREFECT_DATABASE, database_url)
    answer("backup", "--no-verify", "--to", place, "--server-dir", str(servers))
    monkeypatch.delenv(PREFECT_DATABASE)
    monkeypatch.setenv("TRADING_DATABASE_URL", empty_url)
    settings.cache_clear()
    restored = answer("restore", "--from", place, "--server-dir", str(servers))["restored"]
    assert sorted(restored) == ["prefect", "trading"]
    with (
        local_postgres(servers / "postgres") as server,
        psycopg.connect(plain(prefect_database_url(server))) as connection,
    ):
        assert connection.execute("SELECT number FROM of_prefect").fetchone() == (7,)
