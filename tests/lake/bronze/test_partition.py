"""One partition: what is stored of a delivery, what is refused, what is kept beside it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.polygon import PolygonSource
from adapters.market_data.synthetic_bars import SyntheticBarSource
from lake.bronze import records
from lake.bronze.rows import read_bars, read_sessions
from lake.dataset import PartitionStatus
from lake.grain import Grain
from storage.errors import ContentError
from tests.adapters.json_server import json_answer
from tests.adapters.pacers import paced
from tests.adapters.polygon_server import KEY, Bar, PolygonServer
from tests.lake.bronze.deliveries import DAY, NOW, Lake, deliver, minutes, regular
from trading.bars.intervals import Interval
from trading.bars.quality.gaps import GapReason
from trading.bars.synthetic_minutes import synthetic_minutes
from trading.errors import DataError

FOLDER = "bronze/files/1m/AAPL"
FILE = f"{FOLDER}/20240103.parquet"


def gap_reasons(lake: Lake, stem: str = "20240103") -> list[str]:
    path = lake.folder / FOLDER / "_gaps" / f"{stem}.json"
    return [gap["reason"] for gap in json.loads(path.read_text())["gaps"]] if path.exists() else []


def checks(lake: Lake, stem: str = "20240103") -> dict[str, str]:
    path = lake.folder / FOLDER / "_checks" / f"{stem}.json"
    if not path.exists():
        return {}
    return {c["check"]: c["status"] for c in json.loads(path.read_text())["checks"]}


def test_a_session_is_stored_as_it_was_delivered(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    summary = lake.compute(deliver(tmp_path / "in", rows), lake.request())
    assert (summary.written, summary.rows, summary.missing) == (True, len(rows), 0)
    assert [name for name, _ in lake.contents().items()] == [FILE], "nothing is odd, nothing else"
    table = pq.read_table(lake.folder / FILE)
    assert table.column_names == [
        "timestamp", "open", "high", "low", "close", "volume", "vwap", "trades",
    ]  # fmt: skip
    assert str(table.schema.field("timestamp").type) == "timestamp[us, tz=UTC]"
    expected = synthetic_minutes("AAPL", DAY, DAY)
    assert table["volume"].to_pylist() == expected.volume.tolist()
    assert lake.states(lake.request()) == [PartitionStatus.DONE]


def test_fractional_volumes_come_back_as_they_were(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    rows[100]["volume"] = 1234.000_1
    lake.compute(deliver(tmp_path / "in", rows), lake.request())
    assert 1234.000_1 in pq.read_table(lake.folder / FILE)["volume"].to_pylist()


def test_an_identical_delivery_writes_nothing(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    lake.compute(deliver(tmp_path / "in", rows), lake.request())
    before = {p: p.stat().st_mtime_ns for p in lake.folder.rglob("*")}
    summary = lake.compute(deliver(tmp_path / "in", rows[::-1]), lake.request())
    assert not summary.written
    assert {p: p.stat().st_mtime_ns for p in lake.folder.rglob("*")} == before


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32), parts=st.integers(1, 4))
def test_shuffled_doubled_and_late_rows_converge_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, seed: int, parts: int
) -> None:
    rows, place = minutes(), tmp_path_factory.mktemp("late")
    undisturbed = Lake(place / "undisturbed")
    undisturbed.compute(deliver(place / "whole", rows), undisturbed.request())

    generator = random.Random(seed)  # noqa: S311 - a test's
    lake = Lake(place / "lake")
    dealt: list[list[dict[str, Any]]] = [[] for _ in range(parts)]
    for row in rows:
        for number in {generator.randrange(parts) for _ in range(2)}:
            dealt[number].append(row)
    for part in dealt:
        doubled = part + generator.sample(part, len(part) // 2)
        generator.shuffle(doubled)
        lake.compute(deliver(place / "in", doubled), lake.request())
    whole, late = undisturbed.contents(), lake.contents()
    assert late[FILE][0] == whole[FILE][0]  # type: ignore[index] # rows and footer
    fingerprints = [c[FILE][1]["fingerprint"] for c in (whole, late)]  # type: ignore[index]
    assert fingerprints[0] == fingerprints[1]
    assert not gap_reasons(lake)
    assert lake.states(lake.request()) == [PartitionStatus.DONE]


@pytest.mark.parametrize(
    ("field", "value", "check"),
    [
        ("low", 1e6, "price_bounds"),
        ("high", 0.01, "price_bounds"),
        ("close", 0.0, "prices_positive"),
        ("open", -5.0, "prices_positive"),
        ("volume", -1.0, "volumes"),
    ],
)
def test_a_fault_that_cannot_be_writes_nothing_and_opens_a_gap(
    lake: Lake, tmp_path: Path, field: str, value: float, check: str
) -> None:
    rows = minutes()
    rows[200][field] = value
    with pytest.raises(DataError, match="nothing of it is stored") as refused:
        lake.compute(deliver(tmp_path / "in", rows), lake.request())
    assert rows[200]["timestamp"] in str(refused.value)
    assert lake.files() == []
    assert gap_reasons(lake) == ["failed"]
    assert checks(lake)[check] == "FAIL"
    assert lake.states(lake.request()) == [PartitionStatus.MISSING]

    lake.compute(deliver(tmp_path / "in", minutes()), lake.request())
    assert (lake.files(), gap_reasons(lake), checks(lake)) == ([FILE], [], {})


def test_a_refused_delivery_leaves_what_was_stored_and_is_asked_for_again(
    lake: Lake, tmp_path: Path
) -> None:
    rows = minutes()
    lake.compute(deliver(tmp_path / "in", rows), lake.request())
    before = lake.contents()[FILE]
    rows[200]["volume"] = -1.0
    with pytest.raises(DataError):
        lake.compute(deliver(tmp_path / "in", rows), lake.request())
    assert lake.contents()[FILE] == before
    assert gap_reasons(lake) == ["failed"]
    assert lake.due(lake.request()) != []


def test_what_is_odd_and_can_be_true_is_kept_beside_the_rows(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    rows[200]["vwap"] = rows[200]["high"] + 1.0
    summary = lake.compute(deliver(tmp_path / "in", rows), lake.request())
    assert summary.written
    assert checks(lake) == {"vwap_bounds": "WARN"}
    assert rows[200]["vwap"] in pq.read_table(lake.folder / FILE)["vwap"].to_pylist()
    assert lake.states(lake.request()) == [PartitionStatus.DONE]


def test_a_doubled_row_counts_once_and_its_last_value(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    late = dict(rows[300], volume=rows[300]["volume"] + 1.0)
    lake.compute(deliver(tmp_path / "in", [*rows, late]), lake.request())
    table = pq.read_table(lake.folder / FILE)
    assert table.num_rows == len(rows)
    assert table["volume"].to_pylist()[300] == late["volume"]
    assert checks(lake) == {"repeated_rows": "WARN"}


def test_a_correction_is_on_record_with_old_and_new_and_when(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    lake.compute(deliver(tmp_path / "in", rows), lake.request())
    old = rows[250]["close"]
    rows[250] = dict(rows[250], close=rows[250]["high"])
    summary = lake.compute(deliver(tmp_path / "in", rows), lake.request())
    assert (summary.written, summary.corrected) == (True, 1)
    (change,) = pq.read_table(
        lake.folder / FOLDER / "_corrections" / "20240103-1.parquet"
    ).to_pylist()
    assert change["timestamp"].isoformat() == rows[250]["timestamp"].replace("Z", "+00:00")
    assert (change["column"], change["old"], change["new"]) == ("close", old, rows[250]["high"])
    assert change["known_at"] == NOW
    again = lake.compute(deliver(tmp_path / "in", rows), lake.request())
    assert not again.written
    third = dict(rows[250], close=old)
    lake.compute(deliver(tmp_path / "in", [*rows[:250], third, *rows[251:]]), lake.request())
    found = sorted(p.name for p in (lake.folder / FOLDER / "_corrections").iterdir())
    assert found == ["20240103-1.parquet", "20240103-2.parquet"]


def test_rows_that_the_source_takes_back_are_kept_and_reported(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    lake.compute(deliver(tmp_path / "in", rows), lake.request())
    summary = lake.compute(deliver(tmp_path / "in", rows[:-100]), lake.request())
    assert (summary.rows, summary.written) == (len(rows), False)
    assert checks(lake) == {"withdrawn_rows": "WARN"}


def test_missing_minutes_open_a_gap_that_closes_when_they_come(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    cut = regular(rows)[200]
    summary = lake.compute(deliver(tmp_path / "in", rows[:cut]), lake.request())
    assert (summary.written, summary.missing) == (True, 190)
    (gap,) = records.read_gaps(lake.directory, lake.due(lake.request())[0]).gaps  # type: ignore[union-attr]
    assert (gap.session, gap.expected, gap.present) == (DAY, 390, 200)
    assert gap.reason is GapReason.NOT_SERVED
    assert gap.missing == ((rows[cut]["timestamp"][:16] + "Z", "2024-01-03T20:59Z"),)
    lake.ingest(deliver(tmp_path / "in", rows), lake.request())
    assert gap_reasons(lake) == []
    assert lake.due(lake.request()) == []


def test_minutes_without_a_trade_and_a_halt_are_explained_and_not_asked_for_again(
    lake: Lake, tmp_path: Path
) -> None:
    rows = minutes()
    inside = regular(rows)
    gone = {inside[10], *inside[100:130]}
    kept = [row for i, row in enumerate(rows) if i not in gone]
    summary = lake.compute(deliver(tmp_path / "in", kept), lake.request())
    assert summary.missing == 0
    (gap,) = json.loads((lake.folder / FOLDER / "_checks/20240103.json").read_text())["explained"]
    assert (gap["reason"], gap["expected"], gap["present"]) == ("suspected halt", 390, 359)
    assert lake.due(lake.request()) == []


def test_rows_of_a_day_without_a_session_are_kept_apart(lake: Lake, tmp_path: Path) -> None:
    first, last = date(2024, 1, 5), date(2024, 1, 8)
    rows = minutes(first=first, last=last)
    saturday = [dict(r, timestamp=r["timestamp"].replace("-05T", "-06T")) for r in rows[:400]]
    stray = [r for r in saturday if r["timestamp"].startswith("2024-01-06")]
    request = lake.request(first=date(2024, 1, 1), last=date(2024, 1, 31), grain=Grain.MONTH)
    every = sorted([*rows, *stray], key=lambda row: row["timestamp"])
    lake.compute(deliver(tmp_path / "in", every), request)
    assert checks(lake, "2024-01")["stray_rows"] == "WARN"
    kept = pq.read_table(lake.folder / FOLDER / "_stray/2024-01.parquet")
    assert kept.num_rows == len(stray)
    prices = read_sessions(lake.directory, lake.due(request)[0])
    assert prices is not None
    assert prices.dates.astype(str).tolist() == ["2024-01-05", "2024-01-08"]


def test_bars_that_are_still_open_are_not_stored(lake: Lake) -> None:
    now = datetime(2024, 1, 3, 18, 15, 30, tzinfo=UTC)
    lake.compute(SyntheticBarSource(), lake.request("synthetic"), now=now)
    bars = read_bars(lake.directory, lake.due(lake.request("synthetic"), now)[0])
    assert bars is not None
    assert bars.bars.timestamps[-1] == np.datetime64("2024-01-03T18:14", "ns")
    path = lake.folder / "bronze/synthetic/1m/AAPL/_gaps/20240103.json"
    (gap,) = json.loads(path.read_text())["gaps"]
    assert (gap["reason"], gap["present"]) == ("not over", 225)
    # Weeks later it is still due, whatever the window of settlement says.
    assert len(lake.due(lake.request("synthetic"))) == 1
    lake.ingest(SyntheticBarSource(), lake.request("synthetic"))
    assert lake.due(lake.request("synthetic")) == []
    assert not path.exists()


@pytest.mark.parametrize(
    ("clock", "stored"),
    [("20:59", 1), ("21:00", 2)],
)
def test_a_daily_bar_is_stored_when_its_session_is_over(
    lake: Lake, clock: str, stored: int
) -> None:
    now = datetime.fromisoformat(f"2024-01-03T{clock}:00+00:00")
    request = lake.request("synthetic", Interval.DAY, first=date(2024, 1, 2))
    summary = lake.compute(SyntheticBarSource(), request, now=now)
    assert summary.rows == stored
    assert summary.missing == 2 - stored


def test_a_year_that_was_stored_when_it_was_not_over_stays_due(lake: Lake) -> None:
    request = lake.request(
        "synthetic", Interval.DAY, first=date(2023, 1, 2), last=date(2023, 12, 31)
    )
    lake.ingest(SyntheticBarSource(), request, now=datetime(2023, 6, 1, 12, tzinfo=UTC))
    assert len(lake.due(request)) == 1, "half a year must not pass for a whole one"
    (summary,) = lake.ingest(SyntheticBarSource(), request)
    assert summary.rows == 250
    assert lake.due(request) == []


def test_a_damaged_file_is_not_built_upon(lake: Lake, tmp_path: Path) -> None:
    source = deliver(tmp_path / "in", minutes())
    lake.compute(source, lake.request())
    path = lake.folder / FILE
    table = pq.read_table(path)
    column = table["close"].to_numpy() + 1.0
    changed = table.set_column(4, "close", [column]).replace_schema_metadata(table.schema.metadata)
    pq.write_table(changed, path)
    with pytest.raises(ContentError, match="not those of its fingerprint"):
        lake.compute(source, lake.request())
    path.write_bytes(b"PAR1 and nothing else PAR1")
    assert lake.states(lake.request()) == [PartitionStatus.MISSING]
    assert lake.compute(source, lake.request()).written


@pytest.fixture
def polygon() -> Iterator[PolygonServer]:
    server = PolygonServer()
    with server.running():
        yield server


def polygon_source(server: PolygonServer) -> PolygonSource:
    return PolygonSource(SecretStr(KEY), base_url=server.url, pacer=paced(1_000)[0])


def vendor_bars() -> list[Bar]:
    return [
        Bar(
            datetime.fromisoformat(row["timestamp"]),
            **{name: row[name] for name in ("open", "high", "low", "close", "volume", "vwap")},
        )
        for row in minutes()
    ]


def test_rows_across_pages_are_those_of_one_page(
    lake: Lake, polygon: PolygonServer, tmp_path: Path
) -> None:
    polygon.bars["AAPL", "minute"] = vendor_bars()
    polygon.page_size = 50_000
    lake.compute(polygon_source(polygon), lake.request("polygon"))
    paged = Lake(tmp_path / "paged")
    polygon.page_size = 37
    paged.compute(polygon_source(polygon), paged.request("polygon"))
    assert paged.contents() == lake.contents()


def test_a_page_that_ends_early_is_never_done(lake: Lake, polygon: PolygonServer) -> None:
    polygon.bars["AAPL", "minute"] = vendor_bars()
    polygon.page_size = 100
    polygon.changes = [{"resultsCount": 101}] * 10
    request = lake.request("polygon")
    with pytest.raises(SourceError, match="counts 101"):
        lake.compute(polygon_source(polygon), request)
    assert lake.files() == []
    record = records.read_gaps(lake.directory, lake.due(request)[0])
    assert record is not None
    assert [gap.reason for gap in record.gaps] == [GapReason.FAILED]
    assert "counts 101" in record.detail
    polygon.changes = []
    (summary,) = lake.ingest(polygon_source(polygon), request)
    assert summary.written
    assert lake.due(request) == []


def test_a_transient_error_is_tried_again(lake: Lake, polygon: PolygonServer) -> None:
    polygon.bars["AAPL", "minute"] = vendor_bars()
    polygon.page_size = 1_000
    polygon.faults.extend([json_answer({"status": "ERROR"}, 503)] * 2)
    assert lake.compute(polygon_source(polygon), lake.request("polygon")).written
    assert len(polygon.requests) == 3


def test_a_source_that_has_nothing_of_a_session_leaves_a_gap(lake: Lake, tmp_path: Path) -> None:
    other = minutes(first=DAY + timedelta(days=1), last=DAY + timedelta(days=1))
    summary = lake.compute(deliver(tmp_path / "in", other), lake.request())
    assert (summary.rows, summary.written, summary.missing) == (0, False, 390)
    assert (lake.files(), gap_reasons(lake)) == ([], ["not served"])


def test_a_symbol_without_a_file_leaves_a_gap(lake: Lake, tmp_path: Path) -> None:
    source = deliver(tmp_path / "in", minutes())
    request = lake.request(symbols=("MSFT",))
    with pytest.raises(SourceError, match=r"there is no MSFT\.csv"):
        lake.compute(source, request)
    record = records.read_gaps(lake.directory, lake.due(request)[0])
    assert record is not None
    assert [gap.reason for gap in record.gaps] == [GapReason.NOT_SERVED]
