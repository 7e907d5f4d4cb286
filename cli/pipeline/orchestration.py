"""Run the pipeline on a Prefect server and report what came of it.

Loads Prefect and the flows: import it only after the environment names the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import State, WorkPool
from prefect.exceptions import ObjectNotFound, TerminationSignal
from prefect.states import Cancelled, Pending

from cli.display.progress import Display, ProgressMeter
from cli.pipeline.run_counts import UNFINISHED, RunCounts
from cli.pipeline.run_progress import RunProgress
from cli.pipeline.summary import PartitionCounts
from cli.stop_signals import stopping_once
from fanout import Placement
from fanout.prefect_engine.execution import deliver, run_to_end
from fanout.runs import set_states
from flows.boundary.errors import UnfinishedError
from flows.boundary.settings import JobPer
from flows.deploy.deployments import ORCHESTRATOR
from flows.deploy.registration import PROCESS, pool_of, register_deployments
from flows.orchestrator_flow import OrchestrationSummary, trading_orchestrator_flow
from servers.leases import Leases
from servers.readiness import server_errors
from servers.worker import LocalWorker, needing

WATCH_SECONDS = 2.0
"""Pause between two looks at the partitions: each costs the server some 50 ms."""

STOPPING = "Stopping already: the runs under way are being ended."

DELIVERY_SECONDS = 10.0
"""How long the last logs and events may take to reach the server."""


@dataclass(frozen=True, slots=True)
class Orchestration:
    """How a run of the orchestrator ended.

    Attributes:
        flow_run_id: The run.
        status: Its final state in lower case, or `aborted` when the server stopped it.
        message: Why it did not complete; empty when it did.
        partitions: What became of the partitions.
        flow_runs: Deployment name -> state name -> number of flow runs.
        portfolio: The portfolio's metrics; empty when there are none.
        validation: What validation said of the data: its status and the checks that found
            something; empty when it was not asked for or the run left no account.
    """

    flow_run_id: UUID
    status: str
    message: str
    partitions: PartitionCounts
    flow_runs: Mapping[str, Mapping[str, int]]
    portfolio: Mapping[str, Any]
    validation: Mapping[str, Any]


def register(work_pool: str, partition_limit: int | None, *, schedules: bool | None = None) -> None:
    """Create or update the work pool and the deployments on the current server.

    Deployments whose jobs run elsewhere are left as they are: whoever registered them has told
    them of an image that this command knows nothing of.

    Args:
        work_pool: The pool's name.
        partition_limit: Partition jobs that run at once; None leaves it as it is.
        schedules: Whether the deployments run by themselves; None leaves it as it is.
    """

    async def registered() -> None:
        async with get_client() as client:
            if not await _is_registered_elsewhere(client, work_pool):
                await register_deployments(
                    client, work_pool, partition_limit=partition_limit, schedules=schedules
                )

    with server_errors():
        asyncio.run(registered())


async def _is_registered_elsewhere(client: PrefectClient, work_pool: str) -> bool:
    pool = await pool_of(client, work_pool)
    if pool is None or pool.type == PROCESS:
        return False
    try:
        deployment = await client.read_deployment_by_name(ORCHESTRATOR)
    except ObjectNotFound:
        return False
    return deployment.work_pool_name == work_pool


def type_elsewhere(work_pool: str) -> str | None:
    """The type of a work pool whose jobs are no processes of a machine; None where they are.

    Args:
        work_pool: The pool's name; one that is not there yet will be for processes.

    Raises:
        CommandError: The server refused or failed a request.
    """

    async def read() -> WorkPool | None:
        async with get_client() as client:
            return await pool_of(client, work_pool)

    with server_errors():
        pool = asyncio.run(read())
    return None if pool is None or pool.type == PROCESS else pool.type


def run_orchestration(
    parameters: Mapping[str, Any],
    *,
    worker: AbstractContextManager[LocalWorker | None],
    display: Display,
    leases: Leases | None,
    writable: str | None = None,
) -> Orchestration:
    """`orchestrate`, from outside any event loop.

    Raises:
        CommandError: The server refused or failed a request.
    """
    run = orchestrate(parameters, worker=worker, display=display, leases=leases, writable=writable)
    try:
        with server_errors():
            return asyncio.run(run)
    except TerminationSignal as stop:
        # Prefect's engine handles SIGTERM itself while a flow runs; now it is our turn.
        signal.raise_signal(stop.signal)
        raise


async def orchestrate(
    parameters: Mapping[str, Any],
    *,
    worker: AbstractContextManager[LocalWorker | None],
    display: Display,
    leases: Leases | None,
    writable: str | None = None,
) -> Orchestration:
    """Run the registered orchestrator in this process, and count its flow runs.

    Args:
        parameters: The orchestrator's parameters, as its deployment takes them.
        worker: Entered while the run executes: what picks up the runs in jobs of their own.
        display: Where progress is shown.
        leases: Where to say that this process executes it, on a server that outlives us.
        writable: The output directory, when results are known to be written there.
    """
    async with stoppable(display), delivering(), get_client() as client:
        # Pending, not Scheduled: no worker may pick up what this process executes. With a key: a
        # run whose reply was lost is found when it is asked for again.
        deployment = await client.read_deployment_by_name(ORCHESTRATOR)
        flow_run = await client.create_flow_run_from_deployment(
            deployment.id,
            parameters=dict(parameters),
            state=Pending(),
            idempotency_key=str(uuid4()),
        )
        if flow_run.created is None:
            raise RuntimeError("the server did not say when it created the flow run")
        counts = RunCounts(client, flow_run.id, flow_run.created)
        lease = leases.held(flow_run.id) if leases else contextlib.nullcontext()
        progress = RunProgress()
        inline = JobPer(parameters["job_per"]).symbol_placement is Placement.INLINE
        async with _settling(counts, progress, display):
            with lease, worker as local:
                async with (
                    needing(local),
                    watching(progress, display, elsewhere=None if inline else counts),
                ):
                    state = await run_to_end(
                        trading_orchestrator_flow(progress, writable), flow_run
                    )
        return await _ended(counts, state)


@contextlib.asynccontextmanager
async def stoppable(display: Display) -> AsyncIterator[None]:
    """Go on stopping the block, whoever presses Ctrl-C again, and say so."""
    loop = asyncio.get_running_loop()
    # By the loop: a signal may come in the middle of another line.
    with stopping_once(partial(loop.call_soon_threadsafe, display.phase, STOPPING)):
        yield


@contextlib.asynccontextmanager
async def delivering() -> AsyncIterator[None]:
    """Send the block's logs and events before leaving it, while their server is still there."""
    try:
        yield
    finally:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DELIVERY_SECONDS):
                await deliver()


@contextlib.asynccontextmanager
async def watching(
    progress: RunProgress, display: Display, *, elsewhere: RunCounts | None
) -> AsyncIterator[None]:
    """Show the partitions' progress while the block runs; a failed look never stops it.

    Args:
        progress: What the orchestrator in this process tells.
        display: Where it is shown.
        elsewhere: The server's counts, when partitions run in other processes' contracts.
    """

    async def watch() -> None:
        meter = ProgressMeter()
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if not progress.due:
                continue
            with contextlib.suppress(Exception):
                states = await elsewhere.partitions() if elsewhere else progress.states()
                display.partitions(meter.read(states, progress.due, time.monotonic()))

    watcher = asyncio.create_task(watch())
    try:
        yield
    finally:
        watcher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watcher


@contextlib.asynccontextmanager
async def _settling(
    counts: RunCounts, progress: RunProgress, display: Display
) -> AsyncIterator[None]:
    """When the block is interrupted, end the runs that no process of ours executes any more.

    The worker that the block stopped took its runs' processes with it: they cannot say so. What
    has been done by then is kept, and said.
    """
    try:
        yield
    except BaseException:
        with contextlib.suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(DELIVERY_SECONDS):
                left = await counts.unfinished()
                stopped: State[None] = Cancelled(message="Stopped with the command that ran it.")
                await set_states(counts.client, left, stopped, only=UNFINISHED, force=True)
                done = (await counts.partitions()).get("Completed", 0)
                display.phase(f"{done} of {progress.due or 'the'} partitions were completed.")
        raise


async def _ended(counts: RunCounts, state: State[Any] | None) -> Orchestration:
    summary = await _summary(state)
    if summary is None:
        partitions, portfolio = as_far_as_it_came(await counts.partitions()), None
    else:
        portfolio = summary.portfolio
        partitions = PartitionCounts(
            summary.total, summary.completed, summary.skipped, summary.failed
        )
    return Orchestration(
        flow_run_id=counts.root,
        status="aborted" if state is None else (state.name or state.type.value).lower(),
        message="" if state is None or state.is_completed() else state.message or "",
        partitions=partitions,
        flow_runs=await counts.by_deployment(),
        portfolio=dict(portfolio or {}),
        validation=_validation(summary),
    )


def _validation(summary: OrchestrationSummary | None) -> Mapping[str, Any]:
    if summary is None or summary.validation is None:
        return {}
    checks = [
        {"check": c.check, "status": c.status.value, "count": c.count, "message": c.message}
        for c in summary.validation.warnings
    ]
    return {"status": summary.validation.status.value, "checks": checks}


async def _summary(state: State[Any] | None) -> OrchestrationSummary | None:
    """The orchestrator's own account, which it leaves when it came to its end, failed or not."""
    if state is None or not (state.is_completed() or state.is_failed()):
        return None
    value = await state.aresult(raise_on_failure=False)
    if isinstance(value, UnfinishedError):
        value = value.summary
    return value if isinstance(value, OrchestrationSummary) else None


def as_far_as_it_came(states: Mapping[str, int]) -> PartitionCounts:
    """The counts of a run that left no summary, from its partitions' flow runs alone."""
    total, completed = sum(states.values()), states.get("Completed", 0)
    return PartitionCounts(total, completed, skipped=0, failed=total - completed)
