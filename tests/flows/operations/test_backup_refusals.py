"""What a backup and a restore say when they cannot be made."""

from __future__ import annotations

import resource
from datetime import UTC, datetime
from pathlib import Path

import pytest

from database.connection import Database
from database.dumps import dump
from database.errors import DatabaseError
from flows.operations import backup_sets
from flows.operations.backing_up import Databases, back_up, fill
from servers.postgres.local import PostgresServer
from storage.directory import Directory, open_directory
from tests.cli.conftest import Run
from tests.database.conftest import url_of
from tests.flows.operations.test_backup_sets import prefect_file
from trading.errors import ParameterError

NOW = datetime(2026, 1, 5, 18, tzinfo=UTC)


@pytest.fixture
def place(tmp_path: Path) -> Directory:
    return open_directory(str(tmp_path / "backups"), "to")


def test_a_database_without_tables_is_none_of_ours(empty_url: str, place: Directory) -> None:
    """After a few sets of an empty one the good ones would be gone."""
    with pytest.raises(DatabaseError, match="has no tables, so there is nothing to back up"):
        back_up(Databases(trading=empty_url, prefect=None), place, NOW)
    assert backup_sets.complete_sets(place) == []


def test_nothing_is_restored_when_one_of_two_databases_is_not_empty(
    database: Database,
    empty_url: str,
    place: Directory,
    tmp_path: Path,
) -> None:
    """With one after the other the first would be full by then, and refuse."""
    both = Databases(trading=database.url, prefect=prefect_file(tmp_path).prefect)
    made = back_up(both, place, NOW)
    assert [item.database for item in made.manifest.dumps] == ["trading", "prefect"]
    with pytest.raises(ParameterError, match="move that file away first"):
        fill(Databases(trading=empty_url, prefect=both.prefect), place, made)
    free = f"sqlite+aiosqlite:///{tmp_path / 'free.db'}"
    with pytest.raises(DatabaseError, match=r"is not empty \(\d+ tables.*another --server-dir"):
        fill(Databases(trading=database.url, prefect=free), place, made)
    assert not (tmp_path / "free.db").exists()
    done = fill(Databases(trading=empty_url, prefect=free), place, made)
    assert [item.database for item in done] == ["trading", "prefect"]


def test_a_user_that_is_refused_is_one_sentence(
    postgres: PostgresServer, migrated_database: str, place: Directory
) -> None:
    url = url_of(postgres, migrated_database).replace("//postgres@", "//nobody:hush@")
    with pytest.raises(DatabaseError) as refused:
        back_up(Databases(trading=url, prefect=None), place, NOW)
    assert "refuses the user or its password; correct them in TRADING_DATABASE" in str(
        refused.value
    )
    assert "hush" not in str(refused.value)


def test_a_dump_for_which_there_is_no_room_says_where_to_make_some(database: Database) -> None:
    with pytest.raises(DatabaseError, match=r"No space left on device\); make room in .*TMPDIR"):
        dump(database.url, Path("/dev/full"))


def test_a_place_without_a_backup_prints_the_command_that_makes_one() -> None:
    with pytest.raises(ParameterError, match=r"trading backup --to '/some where'"):
        backup_sets.chosen([], None, "/some where")


@pytest.mark.slow
def test_a_server_to_verify_on_for_which_there_is_no_room_says_how_to_go_on(
    run: Run,
    database: Database,
    tmp_path: Path,
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64_000, hard))
    try:
        done = run("backup", "--to", str(tmp_path / "b"), TRADING_DATABASE_URL=database.url)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert done.returncode == 1
    assert "No server could be started in" in done.stderr
    assert done.stderr.strip().endswith("name another folder in TMPDIR, or pass --no-verify.")
    assert len(done.stderr.strip().splitlines()) == 1
