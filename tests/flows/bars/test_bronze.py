"""The flows of bronze on a real server: what is fanned out, skipped, refused and accounted for."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from flows.bars.bronze_partition import run_name
from lake.reference.tables import read_actions
from storage.directory import open_directory
from tests.flows.conftest import Pipeline
from tests.lake.bronze.deliveries import Lake, deliver, minutes, regular
from trading.bars.intervals import Interval
from trading.bars.synthetic_minutes import synthetic_splits

BRONZE, LEAF = "bronze/bronze", "bronze-partition/bronze-partition"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def asked(lake: Lake, **changes: Any) -> dict[str, Any]:
    parameters = {
        "symbols": ["AAPL", "MSFT"],
        "start": "2024-01-02",
        "end": "2024-01-04",
        "interval": "1m",
        "sources": ["synthetic"],
        "lake_dir": str(lake.folder),
        "job_per": "run",
    }
    return {name: v for name, v in (parameters | changes).items() if v is not None}


async def test_every_partition_is_a_flow_run_and_a_second_run_has_nothing_to_do(
    pipeline: Pipeline, lake: Lake
) -> None:
    ended = await pipeline.run(BRONZE, asked(lake))
    assert ended.state.is_completed(), ended.message
    summary = await ended.value()
    assert (summary.total, summary.completed, summary.skipped, summary.failed) == (6, 6, 0, 0)
    assert (summary.open_gaps, summary.missing, summary.warnings) == (0, 0, ())
    names = [run.name for run in await pipeline.children(ended.id)]
    assert names == [
        f"{symbol} 2024-01-0{day} 1m synthetic" for symbol in ("AAPL", "MSFT") for day in (2, 3, 4)
    ]
    assert len(lake.files()) == 6
    artifacts = await pipeline.artifacts(ended.id)
    assert "nothing in it is odd" in artifacts["bronze-quality"]
    assert "bronze-summary" in artifacts

    before = {path: path.stat().st_mtime_ns for path in lake.folder.rglob("*.parquet")}
    again = await pipeline.run(BRONZE, asked(lake))
    summary = await again.value()
    assert (summary.total, summary.completed, summary.skipped) == (6, 0, 6)
    assert await pipeline.children(again.id) == []
    assert {path: path.stat().st_mtime_ns for path in lake.folder.rglob("*.parquet")} == before


async def test_a_refused_partition_stops_no_other_and_the_leaf_redoes_it(
    pipeline: Pipeline, lake: Lake, tmp_path: Path
) -> None:
    rows = minutes(last=date(2024, 1, 4))
    inside = regular(rows)
    wrong, low = inside[400], rows[inside[400]]["low"]
    rows[wrong]["low"] = 1e6
    deliver(tmp_path / "in", rows)
    files = asked(
        lake, symbols=["AAPL"], start="2024-01-03", sources=["files"],
        source_dir=str(tmp_path / "in"),
    )  # fmt: skip
    ended = await pipeline.run(BRONZE, files)
    assert ended.state.is_failed()
    assert "1 of 2 partitions are not done" in ended.message
    assert "nothing of it is stored" in ended.message
    assert "prefect deployment run bronze-partition/bronze-partition" in ended.message
    assert lake.files() == ["bronze/files/1m/AAPL/20240103.parquet"]
    (artifact,) = [
        a for k, a in (await pipeline.artifacts(ended.id)).items() if k == "bronze-quality"
    ]
    assert "AAPL 2024-01-04 1m files | 2024-01-04 | 390 | failed" in artifact

    rows[wrong]["low"] = low
    deliver(tmp_path / "in", rows)
    leaf = {
        "symbol": "AAPL", "partition": "20240104", "interval": "1m", "source": "files",
        "lake_dir": str(lake.folder), "source_dir": str(tmp_path / "in"),
    }  # fmt: skip
    # In a process of its own, as a job is: a source is read once in each.
    from flows.bars.parameters import forget_sources  # noqa: PLC0415

    forget_sources()
    redone = await pipeline.run(LEAF, leaf)
    assert redone.state.is_completed(), redone.message
    assert redone.run.name == "AAPL 2024-01-04 1m files"
    assert len(lake.files()) == 2


async def test_the_next_source_has_what_those_before_it_lack(
    pipeline: Pipeline, lake: Lake, tmp_path: Path
) -> None:
    deliver(tmp_path / "in", minutes(first=date(2024, 1, 2), last=date(2024, 1, 2)))
    chain = asked(
        lake, symbols=["AAPL"], sources=["files", "synthetic"], source_dir=str(tmp_path / "in")
    )
    ended = await pipeline.run(BRONZE, chain)
    assert ended.state.is_completed(), ended.message
    assert lake.files() == [
        "bronze/files/1m/AAPL/20240102.parquet",
        "bronze/synthetic/1m/AAPL/20240103.parquet",
        "bronze/synthetic/1m/AAPL/20240104.parquet",
    ]
    sources = {pq.read_schema(lake.folder / name).metadata[b"source"] for name in lake.files()}
    assert sources == {b"files", b"synthetic"}, "a file is one source's, whole"


async def test_only_the_named_partitions_are_fetched(pipeline: Pipeline, lake: Lake) -> None:
    named = ["bronze/synthetic/1m/MSFT/20240103.parquet"]
    ended = await pipeline.run(BRONZE, asked(lake, partitions=named))
    assert (await ended.value()).total == 1
    assert lake.files() == named


async def test_splits_come_along_and_explain_the_jumps(pipeline: Pipeline, lake: Lake) -> None:
    (split,) = synthetic_splits("MSFT", date(2022, 1, 1), date(2022, 12, 31))
    days = asked(lake, symbols=["MSFT"], interval="1d", start="2022-10-03", end="2022-10-14")
    summary = await (await pipeline.run(BRONZE, days)).value()
    actions = read_actions(open_directory(str(lake.folder), "lake_dir"))
    assert [action.ex_date for action in actions] == [split.ex_date]
    assert summary.warnings == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sources": ["polygon"]}, "polygon_api_key=None is not an API key of Polygon"),
        ({"sources": ["alpaca"]}, "alpaca_key_id=None is not a key ID of Alpaca"),
        ({"sources": ["files"]}, "source_dir=None is not a folder with a file per symbol"),
        (
            {"source_dir": "/deliveries"},
            "source_dir='/deliveries' is not of use to the source synthetic",
        ),
        ({"interval": "1h"}, "interval='1h' is not an interval that synthetic has; choose from 1d"),
        ({"start": "1999-12-31"}, "start='1999-12-31' is not a day from 2000-01-03 on"),
        ({"end": "2024-01-01"}, "end='2024-01-01' is not at or after start=2024-01-02"),
        ({"symbols": None}, "symbols=None is not a list of symbols, and TRADING_UNIVERSE names"),
        ({"grain": "bar"}, "grain='bar' is not one of session, month, year"),
        ({"sources": ["synthetic", "synthetic"]}, "sources="),
    ],
)
async def test_what_cannot_be_done_is_one_sentence_before_anything_is_submitted(
    pipeline: Pipeline, lake: Lake, changes: dict[str, Any], said: str
) -> None:
    ended = await pipeline.run(BRONZE, asked(lake, **changes))
    assert ended.state.is_failed()
    assert said in ended.message
    assert "\n" not in ended.message
    assert "Traceback" not in await pipeline.log(ended.id)
    assert await pipeline.children(ended.id) == []
    assert not lake.folder.exists()


def test_a_run_is_named_after_its_partition() -> None:
    assert run_name("AAPL", "2024-01", Interval.DAY, "yahoo") == "AAPL 2024-01 1d yahoo"
    assert run_name("AAPL", "soon", Interval.DAY, "yahoo") == "AAPL 'soon' 1d yahoo"
