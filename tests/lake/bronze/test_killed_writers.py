"""A process that dies at any moment: what is missing is asked for again, and nothing is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.backends import LocalStore
from tests.lake.bronze.deliveries import Lake, deliver, minutes, regular
from tests.waiting import wait_until
from trading.bars.synthetic import contract_names
from trading.instruments.calendar import sessions


class Death(BaseException):
    """The process is gone: nothing catches it, nothing is cleaned up."""


def die_at(monkeypatch: pytest.MonkeyPatch, number: int, *, done: bool) -> list[int]:
    """Die before, or right after, the store's change of this number; counts all of them."""
    counted = [0]
    write, remove = LocalStore.write, LocalStore.remove

    def change(original: Any) -> Any:
        def changed(self: LocalStore, path: str, *content: Any) -> None:
            counted[0] += 1
            if counted[0] == number and not done:
                raise Death
            original(self, path, *content)
            if counted[0] == number:
                raise Death

        return changed

    monkeypatch.setattr(LocalStore, "write", change(write))
    monkeypatch.setattr(LocalStore, "remove", change(remove))
    return counted


def history(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch, death: tuple[int, bool]
) -> int:
    """Three deliveries of a session, the process dying once; the command is run until it is done.

    First half of a session, with stray rows and an odd VWAP; then all of it with a correction.
    """
    rows = minutes()
    half = [dict(row) for row in rows[: regular(rows)[200]]]
    half[50]["vwap"] = half[50]["high"] + 1.0
    corrected = [dict(row) for row in rows]
    corrected[60]["volume"] += 5.0
    changes = 0
    with monkeypatch.context() as patched:
        counted = die_at(patched, death[0], done=death[1])
        for delivery in (half, corrected):
            while True:
                try:
                    lake.ingest(deliver(folder, delivery), lake.request(), SOON)
                    break
                except Death:
                    continue
        changes = counted[0]
    lake.ingest(deliver(folder, corrected), lake.request())
    return changes


SOON = datetime(2024, 1, 4, 12, tzinfo=UTC)
"""When the session of the tests is not settled yet."""


def test_a_death_at_any_change_of_the_store_leaves_the_lake_of_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = Lake(tmp_path / "undisturbed")
    changes = history(undisturbed, tmp_path / "in", monkeypatch, (0, False))
    expected = undisturbed.contents()
    assert any("/_corrections/" in name for name in expected)
    assert not any("/_gaps/" in name for name in expected)
    assert changes >= 6
    for number in range(1, changes + 1):
        for done in (False, True):
            lake = Lake(tmp_path / f"{number}-{done}")
            history(lake, tmp_path / "in", monkeypatch, (number, done))
            assert lake.contents() == expected, f"died {'after' if done else 'before'} {number}"


@pytest.mark.parametrize("done", [False, True])
def test_after_a_death_whatever_is_missing_is_due(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    done: bool,  # noqa: FBT001 - a parameter
) -> None:
    """Half a session must not pass for a whole one, whenever the process dies."""
    rows = minutes()
    half = rows[: regular(rows)[200]]
    for number in (1, 2, 3):
        lake = Lake(tmp_path / str(number))
        with monkeypatch.context() as patched:
            die_at(patched, number, done=done)
            with suppress(Death):
                lake.compute(deliver(tmp_path / "in", half), lake.request())
        assert lake.due(lake.request()) != []


PROGRAM = """
import sys
from contextlib import suppress
from datetime import UTC, date, datetime
from adapters.market_data.synthetic_bars import SyntheticBarSource
from tests.lake.bronze.deliveries import NOW, Lake
from pathlib import Path
lake = Lake(Path(sys.argv[1]))
request = lake.request(
    "synthetic", first=date(2024, 1, 2), last=date(2024, 1, 18), symbols=tuple(sys.argv[2:])
)
lake.ingest(SyntheticBarSource(), request, NOW)
"""


def test_a_process_killed_five_times_makes_the_lake_of_one_that_was_not(tmp_path: Path) -> None:
    symbols = contract_names(2)
    total = len(symbols) * len(sessions(date(2024, 1, 2), date(2024, 1, 18)))
    lake, whole = Lake(tmp_path / "lake"), Lake(tmp_path / "whole")

    def started(place: Lake) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", PROGRAM, str(place.folder), *symbols])

    def stored() -> int:
        return len(list(lake.folder.glob("bronze/synthetic/1m/*/*.parquet")))

    moments = random.Random(7)  # noqa: S311 - moments of a test
    for share in sorted(moments.sample(range(1, total - 5), 5)):
        process = started(lake)
        wait_until(
            lambda share=share, process=process: stored() >= share or process.poll() is not None,  # type: ignore[misc]
            f"{share} of {total} partitions are stored",
        )
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert started(lake).wait() == 0
    assert started(whole).wait() == 0
    assert lake.contents() == whole.contents()
    assert stored() == total
