"""Dumps: of one moment, restored whole into an empty database, and proved by that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from database.dumps import dump, restore, scratch_database, verify
from database.errors import DatabaseError, UnreachableError
from tests.database.test_connection import with_password  # noqa: F401


def keys(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM api_key ORDER BY name")]


def add_key(url: str, name: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO api_key (id, name, role, secret_hash, created_by) "
            "VALUES (%s, %s, 'reader', '\\x00', 'test')",
            (name, name),
        )


def test_a_restore_brings_back_what_was_there(
    database_url: str, empty_url: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        add_key(database_url, name)
    counts = dump(database_url, tmp_path / "x.dump")
    assert counts["public.api_key"] == 2
    add_key(database_url, "c")  # after the moment of the dump
    assert restore(empty_url, tmp_path / "x.dump") == counts
    assert keys(empty_url) == ["a", "b"]
    # The schema came along: what it forbids is forbidden there, too.
    with pytest.raises(psycopg.errors.UniqueViolation):
        add_key(empty_url, "a")


def test_a_dump_that_lacks_rows_is_found_out(database_url: str, tmp_path: Path) -> None:
    counts = dump(database_url, tmp_path / "x.dump")
    with pytest.raises(DatabaseError, match=r"api_key: 0 instead of 7"):
        verify(tmp_path / "x.dump", {**counts, "public.api_key": 7}, database_url)


def test_a_broken_file_restores_nothing(database_url: str, empty_url: str, tmp_path: Path) -> None:
    file = tmp_path / "x.dump"
    add_key(database_url, "a")
    dump(database_url, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    with pytest.raises(DatabaseError, match="pg_restore failed"):
        restore(empty_url, file)
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname='public'"
                                  ).fetchone() == (0,)  # fmt: skip


def test_a_database_that_holds_anything_is_refused(
    database_url: str, empty_url: str, tmp_path: Path
) -> None:
    dump(database_url, tmp_path / "x.dump")
    with psycopg.connect(empty_url) as connection:
        connection.execute("CREATE TABLE mine (x int)")
    with pytest.raises(DatabaseError, match=r"is not empty \(1 tables, the first mine\)"):
        restore(empty_url, tmp_path / "x.dump")


def test_a_scratch_database_is_gone_afterwards(database_url: str) -> None:
    def names() -> set[str]:
        with psycopg.connect(database_url) as connection:
            return {name for (name,) in connection.execute("SELECT datname FROM pg_database")}

    before = names()

    def use() -> None:
        with scratch_database(database_url) as url, psycopg.connect(url):
            assert len(names() - before) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert names() == before


def test_a_server_that_is_not_there_is_said_to_be_unreachable(tmp_path: Path) -> None:
    url = f"postgresql://me@/bars?host={quote(str(tmp_path), safe='')}"
    uses: list[Callable[[], object]] = [
        lambda: dump(url, tmp_path / "x.dump", "THAT_SETTING"),
        lambda: restore(url, tmp_path / "x.dump", "THAT_SETTING"),
    ]
    for use in uses:
        with pytest.raises(UnreachableError, match=r"no such socket.*or correct THAT_SETTING\."):
            use()
    with pytest.raises(UnreachableError, match="no such socket"):
        verify(tmp_path / "x.dump", {}, url)


def test_no_message_holds_the_password(with_password: str, tmp_path: Path) -> None:  # noqa: F811
    with pytest.raises(DatabaseError) as refused:
        dump(with_password, tmp_path / "no" / "folder" / "x.dump")
    assert "reader" not in str(refused.value)
    assert with_password.rpartition("@")[0].rpartition(":")[2] not in str(refused.value)
