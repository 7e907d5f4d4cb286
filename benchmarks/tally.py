"""What a pipeline left behind, counted by hand: results, duplicates, lost, wrong states.

Nothing here asks the pipeline's own accounting: results are read back and compared with the
analysis of the whole series, runs are read from the server's API one page at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort

from flows.deploy.deployments import ANALYZE_TIME_PARTITION
from lake.grain import Grain
from lake.keys import Partition, partitions
from lake.market.inputs import MarketData, open_market_data
from lake.market.results import read_rows
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import analyze
from trading.strategies.protocol import SIGNAL_NAMES

_PAGE = 200
_FINAL = {StateType.COMPLETED, StateType.FAILED, StateType.CRASHED, StateType.CANCELLED}


@dataclass(frozen=True, slots=True)
class Tally:
    """What was found.

    Attributes:
        partitions: How many results there should be.
        results: Partitions with a whole file whose rows equal those of the whole series' analysis.
        duplicates: Completed flow runs of a partition beyond the first, rows that occur twice.
        lost: Partitions without such a result.
        wrong_states: Flow runs that have not ended, and results without a Completed run.
        flow_runs: How many flow runs there are in which state, orchestrators and symbols included.
    """

    partitions: int
    results: int
    duplicates: int
    lost: int
    wrong_states: int
    flow_runs: dict[str, int]

    @property
    def clean(self) -> bool:
        """Whether nothing is lost, doubled or wrong."""
        return (self.duplicates, self.lost, self.wrong_states) == (0, 0, 0)


async def tally(
    client: PrefectClient, input_dir: str, output_dir: str, contracts: int, grain: Grain
) -> Tally:
    """Count what runs of the orchestrator on these directories have left.

    Args:
        client: A client of the server; runs on other directories are not counted.
        input_dir: The market data.
        output_dir: The results.
        contracts: How many contracts, in the order of the data.
        grain: What one partition covers.
    """
    market = open_market_data(input_dir)
    names = market.contracts[:contracts]
    stamps = market.timestamps()
    wanted = [p for name in names for p in partitions(stamps, name, grain)]
    whole = _whole_contracts(market, output_dir, names)
    owners = {p.relative_path: _owner(Path(output_dir) / p.relative_path) for p in wanted}
    good = [p for p in wanted if p.symbol in whole and owners[p.relative_path]]
    runs = await _runs_on(client, {"input_dir": input_dir, "output_dir": output_dir})
    completed = await _completed_partitions(client, runs)
    return Tally(
        partitions=len(wanted),
        results=len(good),
        duplicates=_doubled_rows(output_dir) + sum(n - 1 for n in completed.values()),
        lost=len(wanted) - len(good),
        wrong_states=sum(run.state_type not in _FINAL for run in runs)
        + sum(_key(p) not in completed for p in good),
        flow_runs=dict(Counter(str(run.state_name) for run in runs)),
    )


def _whole_contracts(market: MarketData, output_dir: str, names: Sequence[str]) -> set[str]:
    """Contracts whose stored rows equal the analysis of the whole series, value by value."""
    strategy = StrategyParameters()
    rows = read_rows(output_dir)
    contracts = rows["contract"].cast(pa.string())
    found = set()
    for name in names:
        stored = rows.filter(pc.equal(contracts, name))
        ours = analyze(market.bars(name, 0, market.rows, strategy), strategy)
        signals = [SIGNAL_NAMES[int(code)] for code in ours.signal]
        if stored["signal"].cast(pa.string()).to_pylist() != signals:
            continue
        same = all(
            np.array_equal(
                stored[column].to_numpy(zero_copy_only=False).astype(float),
                getattr(ours, column),
                equal_nan=True,
            )
            for column in ("price", "price_change_pct", "beta", "correlation", "buy_threshold")
        )
        if same:
            found.add(name)
    return found


def _owner(file: Path) -> str | None:
    """The flow run that wrote a result; None when there is no whole file."""
    try:
        metadata = pq.read_table(file).schema.metadata or {}
    except (OSError, pa.ArrowException):
        return None
    owner: bytes | None = metadata.get(b"flow_run_id")
    return owner.decode() if owner else None


def _doubled_rows(output_dir: str) -> int:
    rows = read_rows(output_dir).select(["contract", "timestamp"])
    return int(rows.num_rows - rows.group_by(["contract", "timestamp"]).aggregate([]).num_rows)


async def _runs_on(client: PrefectClient, directories: dict[str, str]) -> list[FlowRun]:
    """The flow runs that were given one of these directories."""
    runs: list[FlowRun] = []
    while page := await client.read_flow_runs(
        sort=FlowRunSort.ID_DESC, limit=_PAGE, offset=len(runs)
    ):
        runs += page
    return [run for run in runs if directories.items() & _texts(run.parameters).items()]


def _texts(parameters: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in parameters.items() if isinstance(value, str)}


async def _completed_partitions(
    client: PrefectClient, runs: list[FlowRun]
) -> Counter[tuple[str, str]]:
    """How often each partition's flow run completed, by contract and start."""
    leaf = (await client.read_deployment_by_name(ANALYZE_TIME_PARTITION)).id
    return Counter(
        (run.parameters["contract"], run.parameters["timestamp"])
        for run in runs
        if run.deployment_id == leaf and run.state_type is StateType.COMPLETED
    )


def _key(partition: Partition) -> tuple[str, str]:
    return partition.symbol, partition.timestamp
