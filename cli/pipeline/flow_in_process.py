"""Running one deployment's flow in this process, and saying how far it is.

Loads Prefect and the flows: import it only after the environment names the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import httpx
from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import TerminationSignal
from prefect.states import Cancelled, Pending

from cli.display.progress import Display, EstimatedProgress, PartitionProgress
from cli.pipeline.orchestration import DELIVERY_SECONDS, delivering, stoppable
from cli.pipeline.run_counts import UNFINISHED, RunCounts
from fanout import Outcome, Progress
from fanout.prefect_engine.execution import run_to_end
from fanout.runs import set_states
from flows.boundary.errors import UnfinishedError
from servers.leases import Leases
from servers.readiness import server_errors
from servers.worker import LocalWorker, needing


@dataclass(frozen=True, slots=True)
class EndedFlow:
    """How a flow run ended.

    Attributes:
        flow_run_id: The run.
        status: Its final state in lower case, or `aborted` when the server stopped it.
        message: Why it did not complete; empty when it did.
        value: What it returned, or would have if all had been done; None without an account.
    """

    flow_run_id: UUID
    status: str
    message: str
    value: Any


@dataclass(slots=True)
class ProgressWatch:
    """Shows how far a fan-out is, with its rate and how long the rest takes at that rate.

    Attributes:
        display: Where it is shown.
        estimated: Whether to say how long the rest takes: not where its total still grows.
    """

    display: Display
    estimated: bool = True
    _first: tuple[float, int] | None = field(default=None, init=False)
    _ended: int = field(default=0, init=False)
    _completed: int = field(default=0, init=False)
    _earlier: int = field(default=0, init=False)

    async def observe(self, progress: Progress) -> None:
        """Show it; what a fan-out calls when a child has ended."""
        now, done = time.monotonic(), progress.done
        if done < self._ended:  # the next of several fan-outs has begun
            self._earlier, self._first = self._earlier + self._completed, None
        self._ended, self._completed = done, progress.ended[Outcome.COMPLETED]
        self._first = self._first or (now, done)
        since, before = self._first
        rate = (done - before) / (now - since) if now > since and done > before else None
        kind = EstimatedProgress if self.estimated else PartitionProgress
        self.display.partitions(kind(progress.total, self._completed, done - self._completed, rate))

    @property
    def sentence(self) -> str:
        """What has been done, for a command that is stopped."""
        return f"{self._earlier + self._completed} partitions were completed."


def run_flow(
    deployment: str,
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    *,
    worker: AbstractContextManager[LocalWorker | None],
    watch: ProgressWatch,
    leases: Leases | None,
) -> EndedFlow:
    """Run a registered deployment's flow in this process, from outside any event loop.

    Args:
        deployment: Its full name, `flow/deployment`.
        flow: Its flow.
        parameters: As the deployment takes them.
        worker: Entered while the run executes: what picks up runs in jobs of their own.
        watch: Told how many partitions have ended, and who to tell of an interruption.
        leases: Where to say that this process executes it, on a server that outlives us.

    Raises:
        CommandError: The server refused or failed a request.
    """

    async def run() -> EndedFlow:
        async with stoppable(watch.display), delivering(), get_client() as client:
            found = await client.read_deployment_by_name(deployment)
            # Pending, not Scheduled: no worker may pick up what this process executes.
            flow_run = await client.create_flow_run_from_deployment(
                found.id,
                parameters=dict(parameters),
                state=Pending(),
                idempotency_key=str(uuid4()),
            )
            if flow_run.created is None:
                raise RuntimeError("the server did not say when it created the flow run")
            counts = RunCounts(client, flow_run.id, flow_run.created)
            lease = leases.held(flow_run.id) if leases else contextlib.nullcontext()
            async with _settling(counts, watch):
                with lease, worker as local:
                    async with needing(local):
                        return await _ended(flow_run.id, await run_to_end(flow, flow_run))

    try:
        with server_errors():
            return asyncio.run(run())
    except TerminationSignal as stop:
        # Prefect's engine handles SIGTERM itself while a flow runs; now it is our turn.
        signal.raise_signal(stop.signal)
        raise


@contextlib.asynccontextmanager
async def _settling(counts: RunCounts, watch: ProgressWatch) -> AsyncIterator[None]:
    """When the block is interrupted, end the runs that no process of ours executes any more."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(httpx.HTTPError, TimeoutError):
            async with asyncio.timeout(DELIVERY_SECONDS):
                left = await counts.unfinished()
                stopped: State[None] = Cancelled(message="Stopped with the command that ran it.")
                await set_states(counts.client, left, stopped, only=UNFINISHED, force=True)
                watch.display.phase(watch.sentence)
        raise


async def _ended(flow_run_id: UUID, state: State[Any] | None) -> EndedFlow:
    value: Any = None
    if state is not None and (state.is_completed() or state.is_failed()):
        value = await state.aresult(raise_on_failure=False)
        if isinstance(value, UnfinishedError):
            value = value.summary
        elif isinstance(value, BaseException):
            value = None
    return EndedFlow(
        flow_run_id=flow_run_id,
        status="aborted" if state is None else (state.name or state.type.value).lower(),
        message="" if state is None or state.is_completed() else state.message or "",
        value=value,
    )
