"""Months of session files: every reader and every plan says the same before, during and after."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import lake as lakes
from lake.compaction.compacting import MonthState, compact
from lake.dataset import symbol_status
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from storage.directory import open_directory
from storage.errors import ContentError
from tests.lake.bronze.deliveries import NOW, Lake
from tests.lake.compaction.filled import AT_ONCE, Filled, corrected, rows_of, run


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
    return rows_of(lakes.read("gold", "AAPL", "5m", lake_dir=filled.place))


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
