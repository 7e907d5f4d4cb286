"""What the server says of all flow runs that worked on one output directory."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun

from fanout.runs import read_all
from lake.grain import Grain
from lake.keys import partitions
from lake.market.compute import run_partition
from lake.market.inputs import open_market_data
from lake.market.results import read_rows
from trading.strategies.market_model.parameters import StrategyParameters


async def runs_of(client: PrefectClient, output: Path) -> dict[str, list[FlowRun]]:
    """The runs by what they are: `orchestrator`, `symbol` or `partition`, oldest first."""
    found: dict[str, list[FlowRun]] = {"orchestrator": [], "symbol": [], "partition": []}
    runs = await read_all(client, FlowRunFilter())
    for run in sorted(runs, key=lambda run: str(run.created)):
        if run.parameters.get("output_dir") != str(output) or "cost_bps" in run.parameters:
            continue  # another test's, or an aggregation's
        alone, symbol = "timestamp" in run.parameters, "contract" in run.parameters
        level = "partition" if alone else "symbol" if symbol else "orchestrator"
        found[level].append(run)
    return found


def states(runs: list[FlowRun]) -> Counter[str]:
    """How many runs are in which state."""
    return Counter(str(run.state_name) for run in runs)


def assert_all_ended(runs: dict[str, list[FlowRun]]) -> None:
    """No run is left in a state from which only a process could bring it to an end."""
    everything = [run for level in runs.values() for run in level]
    assert everything
    left = [(r.name, r.state_name) for r in everything if r.state_type not in TERMINAL_STATES]
    assert not left


def assert_every_file_is_whole(output: Path) -> None:
    """What has a result's name can be read to its end."""
    for file in output.glob("*/*.parquet"):
        assert pq.read_table(file).num_rows


def assert_as_undisturbed(
    source: Path, output: Path, elsewhere: Path, contracts: list[str], grain: Grain
) -> None:
    """The stored rows are those that runs without a fault store; one file per partition."""
    market = open_market_data(str(source))
    strategy = StrategyParameters()
    every = [p for c in contracts for p in partitions(market.timestamps(), c, grain)]
    for part in every:
        run_partition(
            part.contract, part.timestamp, grain, strategy, str(source), str(elsewhere), "reference"
        )
    files = sorted(f.relative_to(output).as_posix() for f in output.glob("[!_]*/*.parquet"))
    assert files == sorted(part.relative_path for part in every)
    assert read_rows(str(output)).equals(read_rows(str(elsewhere)))
