"""What is due of any dataset, on the smallest one there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.dataset import COMPLETE, PartitionStatus, SymbolStatus, Wanted, compared, symbol_status
from lake.planning import make_ready, plan, still_due
from storage.errors import LocationError
from tests.lake.sums import OPEN, SUMS, Day, SumRequest, sum_request, write_days
from trading.errors import ParameterError

DONE, STALE, MISSING = PartitionStatus.DONE, PartitionStatus.STALE, PartitionStatus.MISSING
UNSETTLED, FAILED = PartitionStatus.UNSETTLED, PartitionStatus.FAILED


@pytest.fixture
def request_(tmp_path: Path) -> SumRequest:
    """Three days of A and two of B, all sums of which are stored."""
    write_days(tmp_path, "A", "2024-01-02 1 2", "2024-01-03 3", "2024-01-04 4")
    write_days(tmp_path, "B", "2024-01-02 5", "2024-01-03 6")
    request = sum_request(tmp_path)
    compute_due(request)
    return request


def compute_due(request: SumRequest) -> list[str]:
    """Compute what is due, and say which files that was."""
    due = [key for one in plan(SUMS, request) for key in one.due(reprocess=request.reprocess)]
    for key in due:
        SUMS.compute(request, key, "run-1")
    return [key.relative_path for key in due]


def states(request: SumRequest) -> dict[str, tuple[PartitionStatus, ...]]:
    return {one.symbol: one.states for one in plan(SUMS, request)}


def test_all_is_due_once_and_then_nothing(tmp_path: Path, request_: SumRequest) -> None:
    assert states(request_) == {"A": (DONE,) * 3, "B": (DONE,) * 2}
    assert compute_due(request_) == []
    file = tmp_path / "output" / "sums" / "A" / "2024-01-02.parquet"
    assert pq.read_table(file).to_pylist() == [{"sum": 3}]
    assert len(compute_due(replace(request_, reprocess=True))) == 5


def test_what_changed_is_stale_what_is_gone_missing_and_what_left_orphaned(
    tmp_path: Path, request_: SumRequest
) -> None:
    write_days(tmp_path, "A", "2024-01-02 1 9", "2024-01-04 4")
    (tmp_path / "output" / "sums" / "A" / "2024-01-04.parquet").unlink()
    (tmp_path / "output" / "sums" / "B" / "2024-01-02.parquet").write_bytes(b"damaged")
    found = {one.symbol: one for one in plan(SUMS, request_)}
    assert found["A"].states == (STALE, MISSING)
    assert found["A"].orphans == ("sums/A/2024-01-03.parquet",)
    assert (found["B"].states, found["B"].orphans) == ((MISSING, DONE), ())
    assert still_due(SUMS, request_, "B") == {"sums/B/2024-01-02.parquet"}
    assert states(replace(request_, factor=2))["A"] == (STALE, MISSING)
    assert len(compute_due(request_)) == 3
    assert compute_due(request_) == []


def test_what_its_source_may_correct_is_fetched_again_and_counts_as_complete(
    tmp_path: Path, request_: SumRequest
) -> None:
    write_days(tmp_path, "B", "2024-01-02 5", f"2024-01-03 6 7 {OPEN}")
    assert states(request_)["B"] == (DONE, UNSETTLED)
    assert UNSETTLED in COMPLETE
    assert compute_due(request_) == compute_due(request_) == ["sums/B/2024-01-03.parquet"]
    write_days(tmp_path, "B", "2024-01-02 5", "2024-01-03 6 7")
    assert states(request_)["B"] == (DONE, STALE), "settled, it is compared again"


def test_only_the_files_that_are_named_are_looked_at(request_: SumRequest) -> None:
    only = replace(request_, only=frozenset(["sums/A/2024-01-03.parquet"]), reprocess=True)
    assert states(only) == {"A": (DONE,), "B": ()}
    assert compute_due(only) == ["sums/A/2024-01-03.parquet"]
    unknown = replace(request_, only=frozenset(["sums/A/2024-01-05.parquet"]))
    with pytest.raises(ParameterError, match=r"partitions='sums/A/2024-01-05.parquet'"):
        plan(SUMS, unknown)
    with pytest.raises(ParameterError, match=r"symbols='C'"):
        plan(SUMS, replace(request_, symbols=("A", "C")))


def test_results_that_cannot_be_seen_are_no_reason_to_fail(
    tmp_path: Path, request_: SumRequest
) -> None:
    (tmp_path / "input" / "A.txt").unlink()
    assert still_due(SUMS, request_, "A") is None


def test_a_place_for_results_is_made_ready_once_and_refused_when_it_cannot_be(
    tmp_path: Path, request_: SumRequest
) -> None:
    plans = plan(SUMS, request_)
    make_ready(request_.target, plans)
    assert not list((tmp_path / "output").rglob(".*")), "nothing is left of the look"
    (tmp_path / "file").write_bytes(b"")
    blocked = replace(
        request_.target, path=f"{tmp_path}/file/output", url=f"{tmp_path}/file/output"
    )
    with pytest.raises(LocationError, match=r"^target="):
        make_ready(blocked, plans)


DAYS = [Day("A", f"2024-01-{day:02}") for day in range(1, 9)]
PRINTS = st.sampled_from(["one", "other"])


@given(
    wanted=st.lists(st.none() | PRINTS, max_size=8),
    stored=st.dictionaries(st.sampled_from([d.relative_path for d in DAYS]), PRINTS),
    only=st.none() | st.sets(st.sampled_from([d.relative_path for d in DAYS])),
)
def test_every_partition_has_one_status_and_every_other_file_is_an_orphan(
    wanted: list[str | None], stored: dict[str, str], only: set[str] | None
) -> None:
    asked = [Wanted(day, known) for day, known in zip(DAYS, wanted, strict=False)]
    found: SymbolStatus[Day] = compared("A", asked, stored, only)
    files = {one.key.relative_path for one in asked}
    assert [key.relative_path for key in found.keys] == [
        file for file in sorted(files) if only is None or file in only
    ]
    assert set(found.orphans) == set(stored) - files
    assert sum(map(found.count, PartitionStatus)) == len(found) == len(found.states)
    prints = {one.key.relative_path: one.fingerprint for one in asked}
    for key in found.having({DONE}):
        assert stored[key.relative_path] == prints[key.relative_path] is not None
    assert {key.relative_path for key in found.having({MISSING})}.isdisjoint(stored)
    assert set(found.due(reprocess=False)) == set(found.keys) - set(found.having({DONE}))
    failed = found.with_failures([day.label for day in DAYS])
    assert failed.having({FAILED}) == found.having({STALE, MISSING})
    assert failed.having(COMPLETE) == found.having(COMPLETE)


def test_a_status_looks_at_one_symbol(request_: SumRequest) -> None:
    assert symbol_status(SUMS, request_, "B").states == (DONE, DONE)
