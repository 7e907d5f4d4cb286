"""Running a flow of the lake for a command, in this process, on whichever server.

Loads Prefect and the flows: import it only after the environment names the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Abort, TerminationSignal
from prefect.flow_engine import run_flow_async
from prefect.states import Pending

from cli.display.progress import Display
from cli.pipeline.orchestration import delivering, settling, stoppable, watching
from cli.pipeline.run_counts import RunCounts
from flows.boundary.errors import UnfinishedError
from servers.leases import Leases
from servers.readiness import server_errors
from servers.worker import LocalWorker, needing


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        flow_run_id: The run.
        status: Its final state in lower case, or `aborted` when the server stopped it.
        message: Why it did not complete; empty when it did.
        summary: What the flow returned, or would have; None when it left nothing.
    """

    flow_run_id: UUID
    status: str
    message: str
    summary: Any


def run_here(
    deployment: str,
    flow: Flow[..., Any],
    parameters: Mapping[str, Any],
    *,
    worker: AbstractContextManager[LocalWorker | None],
    display: Display,
    leases: Leases | None,
) -> Ended:
    """Run a registered deployment in this process, from outside any event loop.

    Args:
        deployment: Its full name.
        flow: Its flow, whose children are flow runs that have children themselves.
        parameters: Its parameters, as the API takes them.
        worker: Entered while the run executes: what picks up the runs in jobs of their own.
        display: Where progress is shown.
        leases: Where to say that this process executes it, on a server that outlives us.

    Raises:
        CommandError: The server refused or failed a request.
    """

    async def run() -> Ended:
        async with stoppable(display), delivering(), get_client() as client:
            # Pending, not Scheduled: no worker may pick up what this process executes.
            found = await client.read_deployment_by_name(deployment)
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
            async with settling(counts, display):
                with lease, worker as local:
                    async with needing(local), watching(counts, display):
                        try:
                            state = await run_flow_async(
                                flow,
                                flow_run=flow_run,
                                parameters=dict(flow_run.parameters),
                                return_type="state",
                            )
                        except Abort:
                            state = None
            return await _ended(flow_run.id, state)

    try:
        with server_errors():
            return asyncio.run(run())
    except TerminationSignal as stop:
        # Prefect's engine handles SIGTERM itself while a flow runs; now it is our turn.
        signal.raise_signal(stop.signal)
        raise


async def _ended(flow_run_id: UUID, state: Any) -> Ended:  # noqa: ANN401 - what the engine returns
    if not isinstance(state, State):
        return Ended(flow_run_id, "aborted", "The server stopped the run.", None)
    value = None
    if state.is_completed() or state.is_failed():
        value = await state.aresult(raise_on_failure=False)
    summary = value.summary if isinstance(value, UnfinishedError) else value
    status = (state.name or state.type.value).lower()
    return Ended(flow_run_id, status, "" if state.is_completed() else state.message or "", summary)
