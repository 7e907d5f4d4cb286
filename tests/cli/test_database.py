"""The one way in which commands come by a database: a real server, started for them or named."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from pydantic import SecretStr

from cli.database import database_url
from database.connection import SCHEMA, open_database, schema_version
from flows.boundary.settings import Settings
from servers.errors import CommandError
from servers.postgres.local import local_postgres


def test_a_local_server_runs_while_it_is_used_and_keeps_what_it_was_given(tmp_path: Path) -> None:
    with (
        database_url(Settings(database_url=None), tmp_path) as url,
        open_database(url) as database,
    ):
        database.rows.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)

    with database_url(Settings(database_url=None), tmp_path) as url, psycopg.connect(url) as rows:
        assert rows.execute("SELECT answer FROM kept").fetchone() == (42,)
    assert (tmp_path / "postgres" / "data").is_dir()


def test_the_database_that_is_set_is_used_and_given_the_schema(tmp_path: Path) -> None:
    with local_postgres(tmp_path / "theirs") as server:
        named = Settings(database_url=SecretStr(server.url))
        with database_url(named, tmp_path / "ours") as url:
            assert quote(str(server.socket_folder), safe="") in url
            with psycopg.connect(url) as rows:
                assert schema_version(rows) == SCHEMA
        with psycopg.connect(server.url) as rows:
            assert schema_version(rows) == SCHEMA
    assert not (tmp_path / "ours").exists()


def test_without_the_extra_a_sentence_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "database.schema", raising=False)
    monkeypatch.setitem(sys.modules, "alembic", None)
    with (
        pytest.raises(CommandError, match=r"needs alembic.*uv sync --extra lake"),
        database_url(Settings(database_url=None), tmp_path),
    ):
        pass
    assert not list(tmp_path.iterdir())
