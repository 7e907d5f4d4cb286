"""Sets of backups: complete or not there, checked when read, the last few kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.operations import backup_sets
from flows.operations.backing_up import Databases, back_up, fill
from storage.directory import Directory, open_directory
from storage.errors import StorageError
from trading.errors import DataError, ParameterError

NOW = datetime(2026, 1, 5, 18, tzinfo=UTC)


def prefect_file(folder: Path, rows: int = 3) -> Databases:
    file = folder / "prefect.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS flow_run (id INTEGER)")
        connection.executemany("INSERT INTO flow_run VALUES (?)", [(n,) for n in range(rows)])
    return Databases(trading=None, prefect=f"sqlite+aiosqlite:///{file}")


def rows_of(databases: Databases) -> int:
    file = str(databases.prefect).removeprefix("sqlite+aiosqlite:///")
    with closing(sqlite3.connect(file)) as connection:
        return int(connection.execute("SELECT count(*) FROM flow_run").fetchone()[0])


@pytest.fixture
def place(tmp_path: Path) -> Directory:
    return open_directory(str(tmp_path / "backups"), "to")


def test_a_set_fills_an_empty_place_again(tmp_path: Path, place: Directory) -> None:
    made = back_up(prefect_file(tmp_path), place, NOW)
    assert backup_sets.complete_sets(place) == [made]
    elsewhere = tmp_path / "new" / "prefect.db"
    target = Databases(trading=None, prefect=f"sqlite+aiosqlite:///{elsewhere}")
    fill(target, place, made)
    assert rows_of(target) == 3
    with pytest.raises(ParameterError, match="move that file away"):
        fill(target, place, made)


def test_what_an_interrupted_backup_left_counts_for_nothing(
    tmp_path: Path, place: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases = prefect_file(tmp_path)
    whole = back_up(databases, place, NOW)
    original = Directory.write_bytes

    def until_the_manifest(self: Directory, name: str, content: bytes) -> None:
        if name.endswith(backup_sets.MANIFEST):
            raise StorageError(name, "it cannot be written: no space left", "make room")
        original(self, name, content)

    with monkeypatch.context() as patched:
        patched.setattr(Directory, "write_bytes", until_the_manifest)
        with pytest.raises(StorageError):
            back_up(databases, place, NOW + timedelta(hours=1))
    assert backup_sets.complete_sets(place) == [whole]
    # The next whole one makes room: what is older and not whole goes.
    last = back_up(databases, place, NOW + timedelta(hours=2))
    gone = backup_sets.thin_out(place, keep=2)
    assert gone == [backup_sets.set_name(NOW + timedelta(hours=1))]
    assert backup_sets.complete_sets(place) == [whole, last]


def test_only_the_last_are_kept_and_nothing_of_others(tmp_path: Path, place: Directory) -> None:
    databases = prefect_file(tmp_path)
    for hour in range(4):
        back_up(databases, place, NOW + timedelta(hours=hour))
    place.write_bytes("mine/notes.txt", b"not a backup")
    backup_sets.thin_out(place, keep=2)
    assert [one.manifest.made_at.hour for one in backup_sets.complete_sets(place)] == [20, 21]
    assert place.read_bytes("mine/notes.txt") == b"not a backup"


def test_a_changed_file_is_not_restored(tmp_path: Path, place: Directory) -> None:
    made = back_up(prefect_file(tmp_path), place, NOW)
    place.write_bytes(f"{made.name}/prefect.sqlite", b"something else")
    target = Databases(trading=None, prefect=f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(DataError, match="checksum"):
        fill(target, place, made)
    assert not (tmp_path / "x.db").exists()


def test_the_set_asked_for_must_be_there(tmp_path: Path, place: Directory) -> None:
    with pytest.raises(ParameterError, match="trading backup"):
        backup_sets.chosen([], None, place.url)
    made = back_up(prefect_file(tmp_path), place, NOW)
    with pytest.raises(ParameterError, match=made.name):
        backup_sets.chosen([made], "20200101T000000000000Z", place.url)


def test_nothing_to_back_up_is_said(place: Directory) -> None:
    with pytest.raises(ParameterError, match="TRADING_DATABASE_URL"):
        back_up(Databases(trading=None, prefect=None), place, NOW)


def test_a_copy_of_a_database_that_is_written_to_is_sound(tmp_path: Path) -> None:
    databases = prefect_file(tmp_path)
    file = tmp_path / "prefect.db"
    with closing(sqlite3.connect(file)) as writer:
        writer.execute("INSERT INTO flow_run VALUES (99)")  # under way, not committed
        backup_sets.copy_sqlite(file, tmp_path / "copy.db")
    copy = Databases(trading=None, prefect=f"sqlite+aiosqlite:///{tmp_path / 'copy.db'}")
    assert rows_of(copy) == rows_of(databases) == 3
