"""Runs beside and after others: at the same time, again from the UI, after an upgrade."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prefect.client.schemas.objects import StateType
from prefect.flow_engine import run_flow_async
from prefect.states import Scheduled

import flows.orchestrator_flow
import lake.fingerprints
import lake.market.results
from flows.analyze_time_partition_flow import analyze_time_partition
from flows.boundary.settings import settings
from lake.dataset import SymbolStatus
from lake.keys import Partition
from lake.market.dataset import MarketResults
from lake.market.request import MarketRequest
from lake.market.results import read_rows
from lake.planning import plan
from tests.flows.conftest import (  # noqa: F401 - fixtures
    FILES,
    STRATEGY,
    Pipeline,
    pipeline,
    registered,
    small_market,
)
from tests.reliability.runs import assert_all_ended, assert_every_file_is_whole, runs_of
from tests.waiting import WAIT_SECONDS

LEAF = "analyze-time-partition/analyze-time-partition"
EIGHT = [f"AAPL/{file}" for file in FILES]
WHOLE = {"contracts": ["AAPL"], "grain": "session"}
"""One partition: what is tested here does not depend on how many there are."""


@pytest.mark.slow
async def test_two_orchestrators_and_two_leaves_at_once_leave_one_whole_result_each(
    pipeline: Pipeline,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails when a result is written under its own name: one reads what the other has half
    written, or their runs share an idempotency key."""
    both_have_planned = threading.Barrier(2)

    def planned_together(
        dataset: MarketResults, request: MarketRequest
    ) -> list[SymbolStatus[Partition]]:
        made = plan(dataset, request)
        both_have_planned.wait(WAIT_SECONDS)
        return made

    monkeypatch.setattr(flows.orchestrator_flow, "plan", planned_together)
    twice = [pipeline.orchestrate(contracts=["AAPL"]) for _ in range(2)]
    first, second = await asyncio.gather(*twice)
    assert first.state.is_completed(), first.message
    assert second.state.is_completed(), second.message
    for ended in (await first.value(), await second.value()):
        assert (ended.total, ended.completed + ended.skipped, ended.failed) == (8, 8, 0)
    runs = await runs_of(pipeline.client, pipeline.output)
    assert_all_ended(runs)
    parents = {run.parent_task_run_id for run in runs["symbol"]}
    assert (len(runs["symbol"]), len(parents)) == (2, 2), "each orchestrator has its own"

    one = {
        "contract": "AAPL", "timestamp": "2024-01-02T11:30:00-05:00", "strategy": STRATEGY,
        **pipeline.folders,
    }  # fmt: skip
    leaves = await asyncio.gather(pipeline.run(LEAF, one), pipeline.run(LEAF, one))
    assert all(leaf.state.is_completed() for leaf in leaves)
    assert pipeline.results() == EIGHT
    assert_every_file_is_whole(pipeline.output)
    assert _writer(pipeline.output / "AAPL" / FILES[2]) in {str(leaf.id) for leaf in leaves}
    assert not list(pipeline.output.rglob("*.tmp"))
    assert read_rows(str(pipeline.output)).num_rows == 8


@pytest.mark.slow
async def test_a_partition_that_ran_inside_another_process_is_retried_by_a_worker(
    pipeline: Pipeline,  # noqa: F811
) -> None:
    """Fails when inline runs have no deployment or no queue: no worker is given the retry."""
    ended = await pipeline.orchestrate(**WHOLE)
    assert ended.state.is_completed()
    (leaf,) = (await runs_of(pipeline.client, pipeline.output))["partition"]
    result = pipeline.output / "AAPL" / "20240102.parquet"
    result.unlink()

    # What the button does that a failed or completed run has in the UI.
    await pipeline.client.set_flow_run_state(leaf.id, Scheduled(), force=True)
    assert leaf.id in await _handed_out(pipeline)
    again = await pipeline.client.read_flow_run(leaf.id)
    await run_flow_async(analyze_time_partition, flow_run=again, parameters=dict(again.parameters))
    done = await pipeline.client.read_flow_run(leaf.id)
    assert (done.state_type, done.run_count) == (StateType.COMPLETED, 2)
    assert done.parent_task_run_id == leaf.parent_task_run_id is not None
    assert _writer(result) == str(leaf.id)


@pytest.mark.slow
async def test_results_of_another_version_of_the_analysis_are_made_again(
    pipeline: Pipeline,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fails when the version is no part of the fingerprint: the old results are kept."""
    await pipeline.orchestrate(**WHOLE)
    for module in (lake.fingerprints, lake.market.results):
        monkeypatch.setattr(module, "ANALYSIS_VERSION", "another")
    upgraded = await (await pipeline.orchestrate(**WHOLE)).value()
    assert (upgraded.completed, upgraded.skipped) == (1, 0)
    versions = {_metadata(f)["analysis_version"] for f in pipeline.output.glob("AAPL/*.parquet")}
    assert versions == {"another"}
    settled = await (await pipeline.orchestrate(**WHOLE)).value()
    assert (settled.completed, settled.skipped) == (0, 1)


async def _handed_out(pipeline: Pipeline) -> set[object]:  # noqa: F811
    """What the server gives a worker of the pool that asks for work."""
    given = await pipeline.client.get_scheduled_flow_runs_for_work_pool(settings().work_pool)
    return {response.flow_run.id for response in given}


def _metadata(file: Path) -> dict[str, str]:
    stored = pq.read_schema(file).metadata or {}
    return {key.decode(): value.decode() for key, value in stored.items()}


def _writer(file: Path) -> str:
    """The flow run that wrote a result."""
    return _metadata(file)["flow_run_id"]
