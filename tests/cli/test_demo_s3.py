"""The demo on an S3 server of its own: what it stores is what local files would hold."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.flow_engine import run_flow_async
from prefect.states import Pending

from cli.pipeline.sample_data import SAMPLE_CONTRACTS, ensure_market_data
from flows.aggregate_portfolio_flow import aggregate_portfolio
from lake.dataset import DONE
from lake.grain import Grain
from lake.keys import partitions
from lake.market.aggregate import aggregate
from lake.market.compute import run_partition
from lake.market.dataset import RESULTS
from lake.market.inputs import FILES, open_market_data
from lake.market.request import like_stored
from lake.market.results import read_rows
from lake.planning import plan
from servers.s3 import s3_server
from storage.directory import open_directory
from tests.markets import request_of
from trading.strategies.market_model.parameters import StrategyParameters

Run = Callable[..., subprocess.CompletedProcess[str]]

INPUT, OUTPUT = "s3://trading-demo/input", "s3://trading-demo/output"
STRATEGY = StrategyParameters()


@pytest.mark.slow
async def test_the_demo_on_s3_stores_what_is_computed_on_local_files(
    run: Run,
    prefect_server: str,
    prefect_client: PrefectClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = run("demo", "--s3", "--json", PREFECT_API_URL=prefect_server)
    assert ended.returncode == 0, ended
    report = json.loads(ended.stdout)
    assert report["output_dir"] == OUTPUT
    assert report["partitions"] == {"total": 240, "completed": 240, "skipped": 0, "failed": 0}
    assert report["flow_runs"] == {
        "orchestrator": {"Completed": 1},
        "validate-data": {"Completed": 1},
        "analyze-symbol": {"Completed": 10},
        "analyze-time-partition": {"Completed": 240},
        "aggregate-portfolio": {"Completed": 1},
    }
    assert_consistent(report["portfolio"])

    local_input, local_output = tmp_path / "input", tmp_path / "output"
    with s3_server(tmp_path / "server" / "s3") as server:
        for variable, value in server.client_settings().items():
            monkeypatch.setenv(variable, value)
        assert_equal_to_local(local_input, local_output)
        assert await aggregated_alone(prefect_client) == report["portfolio"]
    asked = replace(request_of(str(local_input), str(local_output)), contracts=None)
    assert aggregate(like_stored(asked, None, None)).metrics == report["portfolio"]


def assert_consistent(portfolio: dict[str, float]) -> None:
    """Hold the portfolio's figures to the sample's size and to each other."""
    assert (portfolio["contracts"], portfolio["bars"]) == (10, 24)
    qualities = (portfolio[f"{quality}_trades"] for quality in ("good", "bad", "neutral"))
    assert portfolio["trades"] == sum(qualities) == portfolio["buys"] + portfolio["sells"]
    assert 0 < portfolio["good_trades"] <= portfolio["trades"] <= 240
    assert portfolio["win_rate"] == portfolio["good_trades"] / portfolio["trades"]
    assert 0.5 < portfolio["average_beta"] < 2


def assert_equal_to_local(local_input: Path, local_output: Path) -> None:
    """Hold what the demo stored to what no server had a part in: files, rows, what is due."""
    assert not local_input.exists()
    assert not local_output.exists()
    names = computed(str(local_input), str(local_output))
    for name in FILES:
        assert open_directory(INPUT, "x").read_bytes(name) == (local_input / name).read_bytes()
    market = open_market_data(INPUT)
    results = open_directory(OUTPUT, "output_dir")
    stored = {f"{c}/{name}" for c in market.contracts for name in results.list_files(c)}
    assert stored == names
    assert read_rows(OUTPUT).equals(read_rows(str(local_output)))
    for contract in market.contracts:
        (again,) = plan(RESULTS, request_of(INPUT, OUTPUT, contract, Grain.BAR, STRATEGY))
        assert (again.count(DONE), len(again)) == (24, 24)


def computed(source: str, target: str) -> set[str]:
    """Make the sample and compute all its partitions here; the names of their files."""
    ensure_market_data(source, SAMPLE_CONTRACTS)
    market = open_market_data(source)
    stamps = market.timestamps()
    every = [p for c in market.contracts for p in partitions(stamps, c, Grain.BAR)]
    for part in every:
        run_partition(
            request_of(source, target, part.symbol, Grain.BAR, STRATEGY),
            part.timestamp,
            "computed here",
        )
    return {part.relative_path for part in every}


async def aggregated_alone(client: PrefectClient) -> object:
    """What `prefect deployment run aggregate-portfolio/aggregate-portfolio` comes to."""
    deployment = await client.read_deployment_by_name("aggregate-portfolio/aggregate-portfolio")
    run = await client.create_flow_run_from_deployment(
        deployment.id, parameters={"input_dir": INPUT, "output_dir": OUTPUT}, state=Pending()
    )
    return await run_flow_async(aggregate_portfolio, flow_run=run, parameters=dict(run.parameters))
