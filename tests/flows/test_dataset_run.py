"""A dataset that is not the main pipeline's: planned, fanned out, looked at and redone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.runtime import flow_run

from fanout import FanOutPolicy, Placement, Progress
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.runs.dataset_run import DatasetRun, DatasetSummary, Leaf
from lake.dataset import PartitionStatus
from lake.planning import plan
from storage.directory import open_directory
from storage.errors import LocationError
from tests.lake.sums import SUMS, Day, SumRequest, sum_request, write_days

DEPLOYMENT = "compute-sum/compute-sum"
DONE, FAILED = PartitionStatus.DONE, PartitionStatus.FAILED
GHOST = "GHOST"
"""Of this symbol a run crashes after it has written its result."""


@flow(name="compute-sum", persist_result=False)
@domain_errors_fail_run
async def compute_sum(symbol: str, day: str, factor: int, source: str, target: str) -> str:
    """Compute one sum."""
    request = SumRequest(
        source=open_directory(source, "source"),
        target=open_directory(target, "target"),
        factor=factor,
    )
    url = SUMS.compute(request, Day(symbol, day), str(flow_run.id))
    if symbol == GHOST:
        raise asyncio.CancelledError
    return url


Bring = Callable[..., Awaitable[tuple[UUID, DatasetSummary | UnfinishedError]]]


@pytest.fixture
async def bring(prefect_client: PrefectClient) -> Bring:
    """Bring the sums up to date inside a flow run; the run, and its summary or how it failed."""
    flow_id = await prefect_client.create_flow(compute_sum)
    await prefect_client.create_deployment(flow_id, DEPLOYMENT.partition("/")[2])

    async def brought(
        request: SumRequest, observe: Callable[[Progress], Awaitable[None]] | None = None
    ) -> tuple[UUID, DatasetSummary | UnfinishedError]:
        @flow(name="bring-sums")
        async def parent() -> Any:
            run = DatasetRun(
                dataset=SUMS,
                request=request,
                leaf=Leaf(DEPLOYMENT, compute_sum, {"factor": 1}),
                placement=Placement.INLINE,
                policy=FanOutPolicy(max_attempts=1),
                observe=observe,
                output=request.target,
            )
            try:
                return UUID(flow_run.id), await run.run()
            except UnfinishedError as error:
                return UUID(flow_run.id), error

        answer: tuple[UUID, DatasetSummary | UnfinishedError] = await parent()
        return answer

    return brought


async def children(client: PrefectClient, parent: UUID) -> dict[str, FlowRun]:
    below = FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent]))
    return {run.name: run for run in await client.read_flow_runs(flow_run_filter=below)}


async def artifact(client: PrefectClient, run: UUID) -> str:
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run]))
    (found,) = await client.read_artifacts(artifact_filter=of_run)
    return str(found.data)


def states(request: SumRequest) -> dict[str, PartitionStatus]:
    return {
        key.label: state
        for one in plan(SUMS, request)
        for key, state in zip(one.keys, one.states, strict=True)
    }


async def test_a_dataset_is_planned_fanned_out_looked_at_and_redone(
    bring: Bring, prefect_client: PrefectClient, tmp_path: Path
) -> None:
    write_days(tmp_path, "A", "2024-01-02 1 2", "2024-01-03 3 x", "2024-01-04 4")
    write_days(tmp_path, "B", "2024-01-02 5", "2024-01-03 6")
    request, told = sum_request(tmp_path), list[int]()

    async def observe(progress: Progress) -> None:
        told.append(progress.done)

    parent, failed = await bring(request, observe)
    assert isinstance(failed, UnfinishedError)
    assert failed.summary == DatasetSummary("sums", 5, 4, 0, failed=1, orphaned=0)
    assert told == [1, 2, 3, 4, 5]
    first, reason = str(failed).splitlines()
    assert first.startswith("1 of 5 partitions are not done")
    assert "A 2024-01-03 failed" in reason
    assert f"deployment run {DEPLOYMENT} --param symbol=A --param day=2024-01-03 " in reason
    assert "--param factor" not in reason, "what is the default anyway is left out"
    runs = await children(prefect_client, parent)
    assert {name: run.state_name for name, run in runs.items()} == {
        "A 2024-01-02": "Completed", "A 2024-01-03": "Failed", "A 2024-01-04": "Completed",
        "B 2024-01-02": "Completed", "B 2024-01-03": "Completed",
    }  # fmt: skip
    text = await artifact(prefect_client, parent)
    assert "A  ✓✗✓" in text
    assert "B  ✓✓-" in text

    labels = {name for name, run in runs.items() if run.state_name == "Failed"}
    (status, _) = (one.with_failures(labels) for one in plan(SUMS, request))
    assert status.states == (DONE, FAILED, DONE)

    write_days(tmp_path, "A", "2024-01-02 1 2", "2024-01-03 3 0", "2024-01-04 4")
    redo = frozenset(key.relative_path for key in status.having({FAILED}))
    parent, again = await bring(replace(request, only=redo))
    assert again == DatasetSummary("sums", 1, 1, 0, failed=0, orphaned=0)
    assert list(await children(prefect_client, parent)) == ["A 2024-01-03"]
    assert set(states(request).values()) == {DONE}

    write_days(tmp_path, "B", "2024-01-03 7")
    parent, changed = await bring(request)
    assert changed == DatasetSummary("sums", 4, 1, 3, failed=0, orphaned=1)
    assert list(await children(prefect_client, parent)) == ["B 2024-01-03"]


async def test_a_run_that_crashed_after_its_work_is_not_done_again(
    bring: Bring, prefect_client: PrefectClient, tmp_path: Path
) -> None:
    write_days(tmp_path, GHOST, "2024-01-02 1")
    parent, summary = await bring(sum_request(tmp_path))
    assert summary == DatasetSummary("sums", 1, 1, 0, failed=0, orphaned=0)
    (run,) = (await children(prefect_client, parent)).values()
    assert run.state_name == "Crashed"


async def test_nothing_is_submitted_when_results_cannot_be_written(
    bring: Bring, tmp_path: Path
) -> None:
    write_days(tmp_path, "A", "2024-01-02 1")
    (tmp_path / "file").write_bytes(b"")
    request = sum_request(tmp_path)
    elsewhere = open_directory(str(tmp_path / "file" / "output"), "target")
    with pytest.raises(LocationError, match=r"^target="):
        await bring(replace(request, target=elsewhere))
