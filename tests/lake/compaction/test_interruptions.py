"""Compaction that dies, and compaction while others change the same month."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from typing import Any

import pytest

import lake as lakes
from lake.compaction.compacting import MonthState, compact
from storage.backends import FileIdentity, LocalStore
from storage.directory import Directory
from tests.lake.compaction.filled import AT_ONCE, Filled, corrected, run


class Death(BaseException):
    """The process is gone: nothing catches it."""


def changes(monkeypatch: pytest.MonkeyPatch, death: int, *, done: bool) -> list[int]:
    """Die before, or right after, the store's change of this number; counts all of them."""
    counted = [0]

    def change(original: Any) -> Any:
        def changed(self: LocalStore, path: str, *content: Any) -> Any:
            counted[0] += 1
            if counted[0] == death and not done:
                raise Death
            found = original(self, path, *content)
            if counted[0] == death:
                raise Death
            return found

        return changed

    monkeypatch.setattr(LocalStore, "write_over", change(LocalStore.write_over))
    monkeypatch.setattr(LocalStore, "remove_version", change(LocalStore.remove_version))
    return counted


@pytest.mark.parametrize("done", [False, True])
def test_a_death_at_any_change_leaves_everything_readable_and_the_next_run_ends_it(
    filled: Filled, monkeypatch: pytest.MonkeyPatch, *, done: bool
) -> None:
    """Session files removed before their month is written would be lost."""
    before = filled.said()
    deaths = 0
    while True:
        with monkeypatch.context() as patched:
            changes(patched, 3, done=done)
            try:
                run(filled)
                break
            except Death:
                deaths += 1
        assert filled.said() == before
        assert filled.due() == []
    assert deaths > 3
    assert filled.session_files() == []
    assert filled.said() == before


def test_a_session_corrected_between_the_last_look_and_its_removal_stays(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A removal that asks for nothing would lose the correction."""
    rows, day = corrected(filled.rows, "2024-01-31"), date(2024, 1, 31)
    name = "bronze/files/1m/AAPL/20240131.parquet"
    remove = Directory.remove_seen

    def after_a_correction(self: Directory, asked: str, seen: FileIdentity) -> bool:
        if asked == name:
            filled.redo(rows, day)
        return remove(self, asked, seen)

    with monkeypatch.context() as patched:
        patched.setattr(Directory, "remove_seen", after_a_correction)
        states = run(filled)
    assert states["bronze/files/1m/AAPL 2024-01"] is MonthState.WAITING
    assert filled.session_files() == [name]
    assert filled.due() != []
    filled.build()
    before = filled.said()
    assert set(run(filled).values()) == {MonthState.DONE}
    assert filled.said() == before
    assert (filled.due(), filled.session_files()) == ([], [])


def test_of_two_compactions_of_a_month_one_is_told_to_come_again(
    filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain write would lose the first one's month, with a correction."""
    run(filled)
    rows, day = corrected(filled.rows, "2024-01-31"), date(2024, 1, 31)
    filled.redo(rows, day)
    filled.build()
    before = filled.said()
    write = Directory.write_over

    def after_the_other(
        self: Directory, name: str, content: bytes, seen: FileIdentity | None
    ) -> bool:
        monkeypatch.undo()
        run(filled)
        return write(self, name, content, seen)

    monkeypatch.setattr(Directory, "write_over", after_the_other)
    late, *_ = [one for one in compact(filled.directory, datetime.now(UTC), grace=AT_ONCE)
                if one.state is MonthState.FAILED]  # fmt: skip
    assert "another process is compacting this month; run again when that has ended" in late.reason
    assert filled.said() == before
    run(filled)
    assert filled.said() == before
    assert (filled.due(), filled.session_files()) == ([], [])


def stored_volume(filled: Filled, day: date) -> float:
    table = lakes.read("bronze", "AAPL", "1m", day, day, lake_dir=filled.place)
    return float(sum(table["volume"].to_pylist()))


COMPACTING = """
import sys
from datetime import UTC, datetime, timedelta
from lake.compaction.compacting import compact
from storage.directory import open_directory

print("begun", flush=True)
while True:
    compact(open_directory(sys.argv[1], "lake_dir"), datetime.now(UTC), grace=timedelta(0))
"""


@pytest.mark.slow
def test_two_compactions_beside_corrections_lose_none_of_them(filled: Filled) -> None:
    """Two real processes compact again and again while a session is corrected again and again."""
    day = date(2024, 1, 31)
    begun = stored_volume(filled, day)
    others = [
        subprocess.Popen([sys.executable, "-c", COMPACTING, filled.place], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    try:
        for other in others:
            assert other.stdout is not None
            assert other.stdout.readline() == b"begun\n"
        for count in range(1, 21):
            filled.rows[:] = corrected(filled.rows, "2024-01-31")
            filled.redo(filled.rows, day)
            assert stored_volume(filled, day) == begun + 7 * count
    finally:
        for other in others:
            other.kill()
            other.communicate()
    filled.build()
    before = filled.said()
    run(filled)
    assert filled.said() == before
    assert (filled.due(), filled.session_files()) == ([], [])
