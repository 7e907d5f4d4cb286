"""Silver, gold and the medallion on a real server: what is due runs, and nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lake.grain import Grain
from tests.flows.conftest import Pipeline
from tests.lake.bronze_files import with_value, write_bronze, write_minutes

FIRST, LAST = date(2024, 1, 29), date(2024, 2, 2)
AS_OF = "2024-02-03T00:00:00+00:00"

pytestmark = pytest.mark.slow


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """A lake with the minutes of two symbols over five sessions of two months."""
    for symbol in ("AAPL", "BRK-B"):
        write_minutes(tmp_path / "lake", symbol, FIRST, LAST)
    return tmp_path / "lake"


def _asked(lake: Path, **more: Any) -> dict[str, Any]:
    return {"lake_dir": str(lake), "as_of": AS_OF, "job_per": "run", **more}


async def test_silver_then_gold_compute_what_is_due_and_nothing_twice(
    pipeline: Pipeline, lake: Path
) -> None:
    silver = await (ended := await pipeline.run("silver/silver", _asked(lake))).value()
    # Five sessions and one year of each symbol.
    assert [(d.dataset, d.completed) for d in silver.datasets] == [
        ("silver", 10), ("silver_days", 2),
    ]  # fmt: skip
    names = [run.name for run in await pipeline.children(ended.id)]
    assert names == sorted(
        f"{symbol} {stretch}"
        for symbol in ("AAPL", "BRK-B")
        for stretch in (
            "2024",
            *(f"2024-0{day}" for day in ("1-29", "1-30", "1-31", "2-01", "2-02")),
        )
    )
    grid = (await pipeline.artifacts(ended.id))["silver-summary"]
    assert "AAPL   ✓✓✓✓✓" in grid
    assert "BRK-B  ✓✓✓✓✓" in grid

    gold = _asked(lake, strategy="rsi_reversion", intervals=["5m", "1d"])
    made = await (await pipeline.run("gold/gold", gold)).value()
    # Two months of five minutes and one year of days, of each symbol.
    assert (made.completed, made.skipped, made.failed) == (6, 0, 0)
    table = pq.read_table(lake / "gold/rsi_reversion/5m/AAPL/2024-01.parquet")
    assert table.num_rows == 3 * 78
    assert table.column_names[-1] == "signal"

    # One minute of the last session is corrected: one silver file, one month and one year of gold.
    minutes = write_minutes(lake, "AAPL", LAST, LAST)
    write_bronze(lake, with_value(minutes, 300, close=1.0, low=0.5), "1m", Grain.SESSION)
    again = await (await pipeline.run("silver/silver", _asked(lake))).value()
    assert [(d.completed, d.skipped) for d in again.datasets] == [(1, 9), (1, 1)]
    made = await (await pipeline.run("gold/gold", gold)).value()
    assert (made.completed, made.skipped) == (2, 4)


async def test_the_medallion_stops_a_symbol_whose_layer_failed_and_no_other(
    pipeline: Pipeline, lake: Path
) -> None:
    damaged = lake / "bronze/synthetic/1m/AAPL/20240130.parquet"
    whole = damaged.read_bytes()
    # Its footer is as it was, so that it counts as there, and its pages are gone.
    damaged.write_bytes(bytes(len(whole) // 2) + whole[len(whole) // 2 :])
    asked = _asked(lake, layers=["silver", "gold"], intervals=["13m"])
    ended = await pipeline.run("medallion/medallion", asked)
    assert ended.state.is_failed()
    assert "AAPL silver failed" in ended.message
    assert "deployment run silver/silver" in ended.message
    assert (lake / "gold/vegas_channel/13m/BRK-B/2024-02.parquet").is_file()
    assert not (lake / "gold/vegas_channel/13m/AAPL").exists()

    damaged.write_bytes(whole)
    ended = await pipeline.run("medallion/medallion", asked)
    assert ended.state.is_completed(), ended.message
    assert (lake / "gold/vegas_channel/13m/AAPL/2024-02.parquet").is_file()
    rows = (await pipeline.artifacts(ended.id))["medallion-summary"]
    assert "| BRK-B | silver | completed | 6 | 0 computed, 6 up to date, 0 failed |" in rows


async def test_what_is_wrong_is_said_in_a_sentence_before_anything_runs(
    pipeline: Pipeline, lake: Path
) -> None:
    refused: dict[str, dict[str, Any]] = {
        "one of bollinger_reversion": {"strategies": ["vega"]},
        "valid: ": {"strategy_parameters": {"vegas_channel": {"lost_window": 0}}},
        "a symbol that bronze has": {"symbols": ["MSFT"]},
        "the layer bronze needs": {"layers": ["bronze", "silver"]},
        "one that silver has": {"intervals": ["1h"]},
    }
    for said, wrong in refused.items():
        ended = await pipeline.run(
            "medallion/medallion", _asked(lake, layers=["silver", "gold"]) | wrong
        )
        assert ended.state.is_failed()
        assert said in ended.message
        assert ended.message.count("\n") == 0
    assert not (lake / "silver").exists()


async def test_the_medallion_fetches_makes_bars_and_signals_from_one_run(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    lake = tmp_path / "new"
    asked = _asked(
        lake,
        symbols=["AAPL"],
        ingestion={"start": str(FIRST), "end": str(LAST), "sources": ["synthetic"]},
        intervals=["21m", "1d"],
    )
    ended = await pipeline.run("medallion/medallion", asked)
    assert ended.state.is_completed(), ended.message
    layers = (await ended.value()).layers
    assert [(one.layer, one.outcome) for one in layers] == [
        (layer, "completed") for layer in ("bronze", "silver", "gold vegas_channel")
    ]
    # What a source's bronze gives is what the same minutes written by hand give.
    write_minutes(tmp_path / "other", "AAPL", FIRST, LAST)
    bare = {"layers": ["silver", "gold"], "intervals": ["21m", "1d"]}
    await pipeline.run("medallion/medallion", _asked(tmp_path / "other", **bare))
    for name in ("21m/AAPL/2024-01", "21m/AAPL/2024-02", "1d/AAPL/2024"):
        made, same = (
            pq.read_table(folder / f"gold/vegas_channel/{name}.parquet")
            for folder in (lake, tmp_path / "other")
        )
        assert made.replace_schema_metadata(None).equals(same.replace_schema_metadata(None))
