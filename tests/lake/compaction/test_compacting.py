"""Months of session files: every reader and every plan says the same before, during and after."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import lake as lakes
from api.bars.stored_files import files_of
from api.desk.layers import Layer
from lake.bronze.contents import Series, keys_between, read_range, read_session_prices
from lake.bronze.counted import counted_bronze
from lake.compaction.compacting import MonthState, compact
from lake.dataset import Dataset, symbol_status
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from storage.backends import FileIdentity, LocalStore
from storage.directory import Directory, open_directory
from storage.errors import ContentError
from tests.lake.bronze.deliveries import NOW, Lake, Row, deliver, minutes, regular
from tests.lake.building import build
from trading.bars.intervals import Interval

FIRST, LAST = date(2024, 1, 30), date(2024, 2, 5)
"""Two sessions of January, three of February."""

AT_ONCE = timedelta(0)
SERIES = Series("files", Interval.MINUTE, "AAPL")
FOLDERS = ("bronze/files/1m/AAPL", "silver/AAPL")


class Death(BaseException):
    """The process is gone: nothing catches it."""


@dataclass(frozen=True)
class Filled:
    """A lake with bronze, silver and gold of a few sessions."""

    lake: Lake
    rows: list[Row]
    deliveries: Path

    @property
    def place(self) -> str:
        return str(self.lake.folder)

    @property
    def directory(self) -> Directory:
        return self.lake.directory

    def ingest(self, rows: list[Row]) -> None:
        """A delivery of everything, stored where it says something new."""
        request = self.lake.request(first=FIRST, last=LAST)
        source = deliver(self.deliveries, rows)
        for key in self.lake.due(request):
            self.lake.compute(source, request, key)

    def redo(self, rows: list[Row], day: date) -> None:
        """A delivery of one session, whether it is due or not."""
        self.lake.compute(deliver(self.deliveries, rows), self.lake.request(first=day, last=day))

    def build(self) -> list[str]:
        silver = SilverRequest(lake_dir=self.place)
        made = build(SilverDataset(), silver) + build(SilverDaysDataset(), silver)
        return made + build(GoldDataset(), self._gold())

    def due(self) -> list[str]:
        """What of all layers is not up to date."""
        silver = SilverRequest(lake_dir=self.place)
        found = [key.label for key in self.lake.due(self.lake.request(first=FIRST, last=LAST))]
        layers: list[tuple[Dataset[Any, Any], Any]] = [
            (SilverDataset(), silver),
            (SilverDaysDataset(), silver),
            (GoldDataset(), self._gold()),
        ]
        for dataset, request in layers:
            status = symbol_status(dataset, request, "AAPL")
            found += [key.relative_path for key in status.due(reprocess=False)]
            found += status.orphans
        return found

    def said(self) -> dict[str, Any]:
        """What every way to read the lake says, times of writing included."""
        directory = self.directory
        loaded = counted_bronze(directory, "AAPL", Interval.MINUTE, ["files"])
        prices = read_session_prices(directory, SERIES, FIRST, LAST)
        return {
            "bronze": _rows(lakes.read("bronze", "AAPL", "1m", lake_dir=self.place)),
            "part": _rows(lakes.read("bronze", "AAPL", "1m", date(2024, 1, 31), date(2024, 2, 1),
                                     lake_dir=self.place)),
            "silver": [_rows(lakes.read("silver", "AAPL", interval, lake_dir=self.place))
                       for interval in ("1m", "13m")],
            "keys": keys_between(directory, SERIES, FIRST, LAST),
            "range": read_range(directory, SERIES, FIRST, LAST).close.tolist(),
            "prices": (prices.dates.tolist(), prices.close.tolist()),
            "loaded": dict(loaded.written),
            "counted": [len(loaded.rows(file)) for file in loaded.files],
            "last": [Layer(folder.removesuffix("/AAPL"), self.place).last_stored()
                     for folder in FOLDERS],
            "files": [[f.name for f in files_of(directory, folder)] for folder in FOLDERS],
            **{f"sql {view}": _sql(self.place, view) for view in ("bronze", "silver")},
        }  # fmt: skip

    def _gold(self) -> GoldRequest:
        intervals = (Interval.MINUTES_5, Interval.DAY)
        return GoldRequest(lake_dir=self.place, strategy="rsi_reversion", intervals=intervals)

    def session_files(self) -> list[str]:
        found = (
            path for folder in FOLDERS for path in (self.lake.folder / folder).glob("*.parquet")
        )
        return sorted(path.relative_to(self.lake.folder).as_posix() for path in found)


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    return list(table.to_pylist())


def _sql(place: str, view: str) -> list[dict[str, Any]]:
    with lakes.connect(place) as sql:
        return _rows(sql.arrow(f"SELECT * FROM {view} ORDER BY ALL"))  # noqa: S608 - ours


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    rows = minutes(first=FIRST, last=LAST)
    found = Filled(Lake(tmp_path / "lake"), rows, tmp_path / "in")
    found.ingest(rows)
    found.build()
    assert found.due() == []
    return found


def run(filled: Filled, grace: timedelta = AT_ONCE) -> dict[str, MonthState]:
    found = compact(filled.directory, datetime.now(UTC), grace=grace)
    return {f"{one.folder} {one.month}": one.state for one in found}


def test_months_are_read_and_planned_as_their_sessions_were(filled: Filled) -> None:
    before = filled.said()
    assert len(before["files"][0]) == 5
    waiting = run(filled, timedelta(hours=1))
    assert set(waiting.values()) == {MonthState.WAITING}
    assert len(waiting) == 2 * 2
    assert filled.said() == before, "while the files lie beside their months"
    assert filled.due() == []
    assert set(run(filled).values()) == {MonthState.DONE}
    assert filled.session_files() == []
    assert filled.said() == before
    assert filled.due() == []
    assert run(filled) == {}


def corrected(rows: list[Row], day: str) -> list[Row]:
    """The rows with another close in one minute of a session."""
    at = next(i for i in regular(rows) if rows[i]["timestamp"].startswith(day))
    changed = [dict(row) for row in rows]
    changed[at]["close"] = changed[at]["high"]
    changed[at]["volume"] += 7.0
    return changed


def test_a_session_of_a_month_is_corrected_and_only_what_it_changes_is_due(
    filled: Filled, tmp_path: Path
) -> None:
    plain = Filled(Lake(tmp_path / "plain"), filled.rows, tmp_path / "plain in")
    plain.ingest(filled.rows)
    plain.build()
    run(filled)
    with lakes.connect(filled.place) as earlier:
        before = earlier.arrow("SELECT sum(volume) AS v FROM bronze").to_pylist()
        rows, day = corrected(filled.rows, "2024-01-31"), date(2024, 1, 31)
        for one in (filled, plain):
            one.redo(rows, day)
        after = earlier.arrow("SELECT sum(volume) AS v FROM bronze").to_pylist()
        assert after == before, "a connection has the lake as it was"
    assert filled.session_files() == ["bronze/files/1m/AAPL/20240131.parquet"]
    assert filled.due() == plain.due()
    assert filled.build() == plain.build()
    assert "silver/AAPL/20240131.parquet" in filled.session_files()
    expected = {k: v for k, v in plain.said().items() if k != "loaded"}
    beside = filled.said()
    assert {k: v for k, v in beside.items() if k != "loaded"} == expected
    assert _gold_rows(filled) == _gold_rows(plain)
    states = run(filled)
    assert set(states.values()) == {MonthState.DONE}
    assert len(states) == 2, "the other month has nothing to do"
    assert filled.session_files() == []
    assert filled.said() == beside
    assert filled.due() == []


def _gold_rows(filled: Filled) -> list[dict[str, Any]]:
    return _rows(lakes.read("gold", "AAPL", "5m", lake_dir=filled.place))


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


def test_what_cannot_be_kept_is_said_and_stops_no_other_month(filled: Filled) -> None:
    damaged = filled.lake.folder / "silver/AAPL/20240131.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    failed, *others = sorted(compact(filled.directory, NOW, grace=AT_ONCE),
                             key=lambda one: one.state is not MonthState.FAILED)  # fmt: skip
    assert (failed.folder, failed.month) == ("silver/AAPL", "2024-01")
    assert "20240131.parquet" in failed.reason
    assert {one.state for one in others} == {MonthState.DONE}
    assert len(others) == 3
    assert "silver/AAPL/20240130.parquet" in filled.session_files()


def test_a_damaged_month_is_an_error_and_no_missing_sessions(filled: Filled) -> None:
    run(filled)
    month = filled.lake.folder / "silver/AAPL/_months/2024-01.parquet"
    month.write_bytes(month.read_bytes()[:-9])
    with pytest.raises(ContentError, match=r"2024-01\.parquet.*damaged"):
        lakes.read("silver", "AAPL", "5m", lake_dir=filled.place)
    with pytest.raises(ContentError, match=r"2024-01\.parquet.*damaged"):
        symbol_status(SilverDataset(), SilverRequest(lake_dir=filled.place), "AAPL")


def test_months_that_may_still_change_are_left_alone(filled: Filled) -> None:
    """The fifth last session of 6 February is 31 January."""
    soon = datetime(2024, 2, 6, 22, tzinfo=UTC)
    assert compact(filled.directory, soon, grace=AT_ONCE) == []
    later = datetime(2024, 2, 8, 22, tzinfo=UTC)
    assert {one.month for one in compact(filled.directory, later, grace=AT_ONCE)} == {"2024-01"}


def test_a_dry_run_says_what_is_due_and_changes_nothing(filled: Filled) -> None:
    files = filled.session_files()
    found = compact(filled.directory, NOW, dry_run=True)
    assert [(one.folder, one.month, one.state) for one in found] == [
        (folder, month, MonthState.DUE)
        for folder in ("silver/AAPL", "bronze/files/1m/AAPL")
        for month in ("2024-01", "2024-02")
    ]
    assert filled.session_files() == files
    assert not list(filled.lake.folder.rglob("_months"))


def test_in_a_store_of_objects_it_is_the_same(filled: Filled, tmp_path: Path) -> None:
    """By another filesystem, which lists instead of asking; and a month as others read it."""
    import fsspec  # noqa: PLC0415 - of this test alone
    import pyarrow.parquet as pq  # noqa: PLC0415 - as above

    memory = fsspec.filesystem("memory")
    memory.put(str(filled.lake.folder), "/compacted", recursive=True)
    try:
        place = open_directory("memory://compacted", "lake_dir")
        before = lakes.read("silver", "AAPL", "5m", lake_dir="memory://compacted")
        assert before.num_rows > 0
        compact(place, NOW, grace=AT_ONCE)
        assert sorted(place.list_files("silver/AAPL/_months")) == [
            "2024-01.parquet", "2024-02.parquet",
        ]  # fmt: skip
        assert place.list_files("silver/AAPL") == {}
        assert lakes.read("silver", "AAPL", "5m", lake_dir="memory://compacted") == before
        month = tmp_path / "month.parquet"
        month.write_bytes(place.read_bytes("silver/AAPL/_months/2024-01.parquet"))
        plain = pq.read_table(month).to_pylist()
        assert [(row["interval"], row["timestamp"]) for row in plain] == sorted(
            ((row["interval"], row["timestamp"]) for row in plain),
            key=lambda pair: (int(pair[0][:-1]), pair[1]),
        )
    finally:
        memory.rm("/compacted", recursive=True)
