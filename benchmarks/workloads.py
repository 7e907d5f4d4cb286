"""The same partitions, run in five ways. Imports Prefect: only after the server is up."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterStartTime,
)
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments import arun_deployment
from prefect.runtime import flow_run

from benchmarks.measuring import Bench, Measurement
from fanout import runs
from fanout.prefect_engine.bulk import CREATE_LIMIT
from flows.analyze_symbol_flow import analyze_symbol
from flows.boundary.settings import JobPer
from flows.deploy.deployments import ANALYZE_TIME_PARTITION
from flows.deploy.registration import register_deployments
from flows.orchestrator_flow import trading_orchestrator
from lake.grain import Grain
from lake.keys import Partition, partitions
from lake.market.dataset import RESULTS
from lake.market.inputs import open_market_data
from lake.market.request import MarketRequest
from servers.worker import process_worker
from storage.directory import open_directory

WORK_POOL = "trading"
PARTITION_JOBS = 4
"""Partition jobs that the worker may run at once: twice the cores of a small machine."""


NAIVE = "analyze-time-partition/naive"
"""The same flow, deployed without anything of ours."""

NAIVE_POLL_SECONDS = 5
"""The default of `run_deployment`."""


@dataclass(frozen=True, slots=True)
class Data:
    """Where a workload reads and writes.

    Attributes:
        input_dir: Market data.
        output_dir: Results; each workload redoes them.
        grain: What a partition covers.
    """

    input_dir: str
    output_dir: str
    grain: Grain = Grain.BAR

    def partitions(self, contracts: int) -> list[Partition]:
        """All partitions of the first contracts."""
        market = open_market_data(self.input_dir)
        stamps = market.timestamps()
        names = market.contracts[:contracts]
        return [p for name in names for p in partitions(stamps, name, self.grain)]

    def parameters(self, partition: Partition) -> dict[str, object]:
        """The parameters of a partition's flow run."""
        return RESULTS.parameters(self.request(), partition)

    def request(self) -> MarketRequest:
        """What a run of it is asked for."""
        return MarketRequest(
            input_dir=open_directory(self.input_dir, "input_dir"),
            output_dir=open_directory(self.output_dir, "output_dir"),
            grain=self.grain,
        )


async def register() -> None:
    """The work pool and the deployments, on the benchmark's server."""
    async with get_client() as client:
        await register_deployments(client, WORK_POOL, partition_limit=PARTITION_JOBS)
        ours = await client.read_deployment_by_name(ANALYZE_TIME_PARTITION)
        await client.create_deployment(
            flow_id=ours.flow_id,
            name=NAIVE.partition("/")[2],
            entrypoint=ours.entrypoint,
            pull_steps=[],
            work_pool_name=WORK_POOL,
            work_queue_name=ours.work_queue_name,
            parameter_openapi_schema=ours.parameter_openapi_schema,
        )


async def ceiling(bench: Bench, bare_runs: int, in_flight: int) -> Measurement:
    """(a) Bare runs: flow runs by an HTTP client with the fewest requests that make a real one.

    Bulk creation under a parent's task run, Running, Completed; nothing is computed.
    """
    async with get_client() as client:
        deployment = await client.read_deployment_by_name(ANALYZE_TIME_PARTITION)
        parent = await client.create_flow_run(flow=_nothing)
        link = await runs.link_task_run(client, parent, "ceiling")
    async with httpx.AsyncClient(base_url=bench.server.api_url, timeout=60) as http:
        with bench.measured(bare_runs) as measurement:
            queue = deque(await _bulk_create(http, deployment.id, link, bare_runs))

            async def live() -> None:
                while queue:
                    run = queue.popleft()
                    for state in ("RUNNING", "COMPLETED"):
                        answer = await http.post(
                            f"/flow_runs/{run}/set_state", json={"state": {"type": state}}
                        )
                        answer.raise_for_status()

            await asyncio.gather(*(live() for _ in range(in_flight)))
    return measurement


async def beside_bare_runs(
    bench: Bench, bare_runs: int, step: Callable[[], Awaitable[Measurement]]
) -> Measurement:
    """Run a workload, with that many bare runs right before it and as many after it."""
    before = await ceiling(bench, bare_runs, in_flight=4)
    measurement = await step()
    after = await ceiling(bench, bare_runs, in_flight=4)
    measurement.bare_run = (before.wall + after.wall) / (2 * bare_runs)
    return measurement


@flow(name="benchmark-ceiling")
def _nothing() -> None:
    """Only its run is needed: the bare client's runs hang on it."""


async def _bulk_create(
    http: httpx.AsyncClient, deployment: UUID, link: UUID, bare_runs: int
) -> list[str]:
    created: list[str] = []
    while len(created) < bare_runs:
        count = min(CREATE_LIMIT, bare_runs - len(created))
        answer = await http.post(
            f"/deployments/{deployment}/create_flow_run/bulk",
            json=[
                {
                    "state": {"type": "PENDING"},
                    "parent_task_run_id": str(link),
                    "enforce_parameter_schema": False,
                }
                for _ in range(count)
            ],
        )
        answer.raise_for_status()
        # Items can fail on a locked database; the next round asks for the rest.
        items = answer.json()["results"]
        created += [item["flow_run_id"] for item in items if item["status"] == "CREATED"]
    return created


async def orchestrated(bench: Bench, data: Data, contracts: int, job_per: JobPer) -> Measurement:
    """(b) Our orchestrator, all of a contract's partitions in one process."""
    started = datetime.now(UTC)
    with bench.measured(len(data.partitions(contracts))) as measurement:
        await trading_orchestrator(
            num_contracts=contracts,
            run_validation=False,
            run_aggregation=False,
            grain=data.grain,
            job_per=job_per,
            reprocess=True,
            input_dir=data.input_dir,
            output_dir=data.output_dir,
        )
    measurement.busy = await _busy_seconds(started, measurement.partitions)
    return measurement


async def _busy_seconds(since: datetime, partitions: int) -> float:
    """Seconds from the first start of a partition's run since then to the last one's end."""
    flows = FlowFilter(name=FlowFilterName(any_=["analyze-time-partition"]))
    runs_since = FlowRunFilter(start_time=FlowRunFilterStartTime(after_=since))
    started: list[datetime] = []
    ended: list[datetime] = []
    async with get_client() as client:
        while page := await client.read_flow_runs(
            flow_filter=flows,
            flow_run_filter=runs_since,
            sort=FlowRunSort.ID_DESC,
            limit=200,
            offset=len(started),
        ):
            started += [run.start_time for run in page if run.start_time]
            ended += [run.end_time for run in page if run.end_time]
    if not len(started) == len(ended) == partitions:
        raise RuntimeError(f"{len(started)} runs started, {len(ended)} ended, of {partitions}")
    return (max(ended) - min(started)).total_seconds()


async def partition_jobs(bench: Bench, data: Data, partitions: int) -> Measurement:
    """(c) `job_per=partition`: one contract's partitions, a process each."""
    contract = open_market_data(data.input_dir).contracts[0]
    with bench.measured(partitions) as measurement:
        await analyze_symbol(
            contract,
            job_per=JobPer.PARTITION,
            reprocess=True,
            input_dir=data.input_dir,
            output_dir=data.output_dir,
        )
    return measurement


async def naive(bench: Bench, data: Data, due: Sequence[Partition]) -> Measurement:
    """(d) What users write: `run_deployment(timeout=0)` per child in a loop, each child polled."""

    @flow(name="benchmark-naive")
    async def parent() -> None:
        children = [
            await arun_deployment(NAIVE, parameters=data.parameters(p), timeout=0) for p in due
        ]
        await asyncio.gather(*(_polled(child.id) for child in children))

    with bench.measured(len(due)) as measurement:
        await parent()
    return measurement


async def _polled(run: UUID) -> None:
    async with get_client() as client:
        ended = False
        while not ended:
            state = (await client.read_flow_run(run)).state
            ended = state is not None and state.is_final()
            await asyncio.sleep(NAIVE_POLL_SECONDS)


async def task_map(bench: Bench, data: Data, due: Sequence[Partition]) -> Measurement:
    """(e) `task.map` of the same body: tasks are no flow runs, and no job can hold one alone."""

    @task
    def compute(partition: Partition) -> str:
        return RESULTS.compute(data.request(), partition, str(flow_run.id)).fingerprint

    @flow(name="benchmark-task-map")
    def mapping() -> None:
        compute.map(list(due)).result()

    with bench.measured(len(due)) as measurement:
        await asyncio.to_thread(mapping)
    return measurement


@contextmanager
def worker(bench: Bench, log: Path) -> Iterator[None]:
    """A process worker whose CPU time counts as the workload's."""
    with process_worker(WORK_POOL, log, {}) as process:
        bench.processes.append(process.pid)
        try:
            yield
        finally:
            bench.processes.remove(process.pid)
