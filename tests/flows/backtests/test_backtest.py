"""The flow `backtest` on a real server: what is due runs, and kills lose nothing."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lake.backtests.account import account
from lake.backtests.contents import read_set
from lake.backtests.dataset import set_keys
from lake.grain import Grain
from tests.flows.conftest import Pipeline
from tests.lake.backtests.conftest import (  # noqa: F401
    BACKTESTS,
    FIRST,
    LAST,
    asked,
    lake,
    make_silver,
    two_symbols,
)
from tests.lake.bronze_files import with_value, write_bronze, write_days
from tests.lake.building import due
from tests.waiting import wait_until
from trading.bars.synthetic_minutes import synthetic_days

pytestmark = pytest.mark.slow

FLOW = "backtest/backtest"


def given(lake: Path, **more: Any) -> dict[str, Any]:  # noqa: F811
    return {"lake_dir": str(lake), "job_per": "run", "interval": "1d", **more}


async def test_sets_are_traded_in_batches_and_only_what_changed_again(
    pipeline: Pipeline,
    lake: Path,  # noqa: F811
) -> None:
    grid = {"periods": [5, 9], "oversold": [30, 40]}
    parameters = given(lake, strategy="rsi_reversion", grid=grid, batch=3, walk_forward=2)
    ended = await pipeline.run(FLOW, parameters)
    assert ended.state.is_completed(), ended.message
    found = await ended.value()
    assert (found.counts.completed, found.counts.skipped, found.counts.failed) == (12, 0, 0)
    runs = await pipeline.children(ended.id)
    assert [run.name for run in runs] == sorted(
        f"{symbol} rsi_reversion 1d {part}"
        for symbol in ("AAPL", "MSFT")
        for part in ("periods=5 and 2 more", "periods=9 oversold=40.0", "fold 1", "fold 2")
    )
    artifacts = await pipeline.artifacts(ended.id)
    assert "deflated Sharpe ratio of the best in sample" in artifacts["backtest-ranking"]
    assert "## Walk-forward" in artifacts["backtest-ranking"]
    assert "AAPL  ✓✓✓✓" in artifacts["backtest-summary"]
    assert (lake / "backtest/rsi_reversion/1d/AAPL-MSFT.html").is_file()
    assert found.page.endswith("/AAPL-MSFT.html")

    bars = synthetic_days("MSFT", FIRST, LAST)
    write_bronze(lake, with_value(bars, 300, high=5_000.0), "1d", Grain.YEAR)
    make_silver(lake)
    ended = await pipeline.run(FLOW, parameters)
    again = await ended.value()
    assert (again.counts.completed, again.counts.skipped) == (6, 6)
    assert {run.name.split()[0] for run in await pipeline.children(ended.id)} == {"MSFT"}


async def test_a_set_that_raises_fails_with_the_authors_line_and_the_others_are_done(
    pipeline: Pipeline,
    lake: Path,  # noqa: F811
) -> None:
    own = "tests.own_strategies:Raises"
    grid = {"periods": [5, 8, 13, 21]}
    parameters = given(lake, strategy=own, grid=grid, symbols=["AAPL"])
    for batch in (1, 4):
        ended = await pipeline.run(FLOW, parameters | {"batch": batch})
        assert ended.state.is_failed()
        first, second = ended.message.splitlines()
        assert first == "1 of 4 partitions are not done; redo each with its command."
        assert second.startswith("AAPL raises 1d periods=13 failed: ")
        assert "ZeroDivisionError: division by zero in line" in second
        assert "of own_strategies.py, `weight = 1 / (periods - 13)" in second
        assert "--param assumptions" not in second, "what is the default anyway is left out"
        assert "--param 'sets=[{\"periods\": 13}]'" in second
        request = asked(lake, own, grid=grid, symbols=("AAPL",))
        assert len(due(BACKTESTS, request)) == 1
        states = {run.name: run.state_name for run in await pipeline.children(ended.id)}
        expected = {
            1: {f"AAPL raises 1d periods={n}": "Failed" if n == 13 else "Completed"
                for n in (5, 8, 13, 21)},
            4: {"AAPL raises 1d periods=13": "Failed"},
        }  # fmt: skip
        assert {name: expected[batch][name] for name in states} == states


async def test_what_cannot_be_traded_is_said_in_a_sentence_before_anything_runs(
    pipeline: Pipeline,
    lake: Path,  # noqa: F811
) -> None:
    refused: dict[str, dict[str, Any]] = {
        "one of bollinger_reversion": {"strategy": "rsi"},
        "period=7 is not valid": {"grid": {"period": [7]}},
        "a symbol that silver has": {"symbols": ["TSLA"]},
        "walk_forward=100 is not from 1": {"walk_forward": 100, "start": "2022-12-01"},
        "the window has 3 bars": {"start": "2022-12-28"},
    }
    for said, wrong in refused.items():
        ended = await pipeline.run(FLOW, given(lake, strategy="rsi_reversion") | wrong)
        assert ended.state.is_failed()
        assert said in ended.message
        assert ended.message.count("\n") == 0
        assert await pipeline.children(ended.id) == []
    assert not (lake / "backtest").exists()


PROGRAM = """
import asyncio, json, sys
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow_async
from prefect.states import Pending
from flows.backtests.backtest import backtest

async def main():
    async with get_client() as client:
        found = await client.read_deployment_by_name("backtest/backtest")
        run = await client.create_flow_run_from_deployment(
            found.id, parameters=json.loads(sys.argv[1]), state=Pending())
        await run_flow_async(backtest, flow_run=run, parameters=dict(run.parameters))

asyncio.run(main())
"""


def _killed_once(enough: Callable[[], bool], parameters: dict[str, Any]) -> None:
    """Run the flow in a process of its own, and kill it when there is enough."""
    killed = subprocess.Popen([sys.executable, "-c", PROGRAM, json.dumps(parameters)])
    try:
        wait_until(lambda: enough() or killed.poll() is not None, "so many sets are traded")
    finally:
        killed.send_signal(signal.SIGKILL)
        killed.wait()


async def test_a_thousand_sets_and_two_kills_lose_nothing_and_double_nothing(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"  # noqa: F811
    write_days(lake, "AAPL", date(2022, 10, 3), date(2022, 12, 30))
    make_silver(lake)
    grid = {"periods": list(range(2, 27)), "oversold": list(range(20, 40)), "overbought": [60, 70]}
    parameters = given(lake, strategy="rsi_reversion", grid=grid, batch=25, symbols=["AAPL"])
    folder = lake / "backtest/rsi_reversion/1d/AAPL"

    def stored() -> dict[str, int]:
        return {file.name: file.stat().st_mtime_ns for file in folder.glob("*.parquet")}

    before: dict[str, int] = {}
    for enough in (150, 500):
        _killed_once(lambda n=enough: len(stored()) >= n, parameters)  # type: ignore[misc]
        found = stored()
        assert enough <= len(found) < 1_000
        assert {name: found[name] for name in before} == before, "none is traded again"
        before = found
    ended = await pipeline.run(FLOW, parameters)
    assert ended.state.is_completed(), ended.message
    summary = await ended.value()
    assert summary.counts.skipped == len(before)
    assert summary.counts.completed == 1_000 - len(before)
    found = stored()
    assert {name: found[name] for name in before} == before
    request = asked(lake, grid=grid, symbols=("AAPL",))
    own = account(request, "AAPL")
    keys = set_keys(request, own)
    assert sorted(found) == sorted(Path(key.relative_path).name for key in keys)
    assert len(summary.sweep.ranking.results) == summary.sweep.ranking.tried == 1_000
    for key in keys[::100]:
        kept = read_set(request.lake, key)
        (folder / Path(key.relative_path).name).unlink()
        BACKTESTS.trade(request, own, key, "again")
        assert read_set(request.lake, key).final_equity == kept.final_equity
