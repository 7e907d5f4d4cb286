"""The fan-out: a parent's children, submitted, executed or watched, and accounted for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Abort, TerminationSignal
from prefect.states import Cancelled

from fanout.children import Child, FanOutPolicy, Placement, RunSet
from fanout.decisions import latest_attempts
from fanout.loop import FanOut, OnProgress, Satisfied
from fanout.prefect_engine.context import current_flow_run, engine_client
from fanout.prefect_engine.inline import InlineClient, inline_client, is_nested
from fanout.runs import read_subflows

CANCELLATION_POLL_SECONDS = 5.0
"""How often an outermost parent looks whether it has been cancelled on the server."""


async def fan_out(
    children: Iterable[Child],
    *,
    deployment: str,
    placement: Placement,
    flow: Flow[..., Any] | None = None,
    policy: FanOutPolicy | None = None,
    satisfied: Satisfied | None = None,
    on_progress: OnProgress | None = None,
) -> RunSet:
    """Have a deployment's flow run once for each child, and wait until all have ended.

    Must be awaited inside a flow run, which becomes the parent: its children are shown as its
    subflows. When that run is executed again (a retry), the children it already has are found
    again: completed ones count, running ones are waited for, failed ones get a new run.

    One child that fails never stops the others. A crashed one (its process is gone) is
    submitted again, `policy.max_attempts` times at most. When this call is cancelled, or the
    parent's run on the server, so are the children that have not ended.

    Args:
        children: What to run; keys must differ.
        deployment: The deployment's full name, `flow-name/deployment-name`.
        placement: Where the children execute.
        flow: The deployment's async flow; needed for, and only for, inline children.
        policy: The limits.
        satisfied: Of some children, the keys of those whose work is there. Asked when runs
            crashed (a worker may report a crash by mistake): then they count as completed; and
            when an earlier execution of the parent completed them: only then that still counts.
        on_progress: Awaited whenever a child has ended.

    Returns:
        One result per child, in the order given.

    Raises:
        RuntimeError: Called outside a flow run.
        ValueError: Two children have the same key, or inline children lack their flow.
        prefect.exceptions.ObjectNotFound: There is no such deployment.
    """
    parent = current_flow_run()
    if parent is None:
        msg = "fan_out must be awaited inside a flow run, which becomes the children's parent."
        raise RuntimeError(msg)
    wanted = list(children)
    if len({child.key for child in wanted}) != len(wanted):
        msg = "two children have the same key; give each its own."
        raise ValueError(msg)
    if (placement is Placement.INLINE) != (flow is not None):
        msg = f"placement={placement.value!r} and flow={flow!r}: only inline children need a flow."
        raise ValueError(msg)
    if not wanted:
        return RunSet(())
    nested = is_nested()
    async with inline_client(engine_client()) as client:
        fan = FanOut(
            client=client,
            parent=parent,
            deployment=deployment,
            placement=placement,
            flow=flow,
            policy=policy or FanOutPolicy(),
            satisfied=satisfied,
            on_progress=on_progress,
        )
        if nested:
            return await fan.run(wanted)
        async with _heeding_cancellation(client, parent.id):
            return await fan.run(wanted)


async def latest_runs(parent_flow_run_id: UUID) -> dict[str, FlowRun]:
    """The latest flow run of each child that a parent has fanned out, by the child's key.

    For a parent that ran elsewhere, or has ended, and whose `RunSet` is therefore not at hand.
    """
    async with get_client() as client:
        runs = await read_subflows(client, parent_flow_run_id)
    return {key: run for key, (_, run) in latest_attempts(parent_flow_run_id, runs).items()}


@asynccontextmanager
async def _heeding_cancellation(client: InlineClient, parent_id: UUID) -> AsyncIterator[None]:
    """Cancel the body when the parent's run is cancelled on the server, and end it Cancelled.

    A worker stops the process of a run that it started; for a run that executes in a command
    line or a notebook nobody else looks.
    """
    body = asyncio.current_task()
    cancelled = asyncio.Event()

    async def watch() -> None:
        # The signal that stops the process raises where it happens to be. In here it would be lost.
        with suppress(TerminationSignal):
            await _until_cancelled(client, parent_id)
            cancelled.set()
        if body is not None:
            body.cancel()

    watcher = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not cancelled.is_set():
            raise
        if body is not None:
            body.uncancel()
        await client.set_flow_run_state(parent_id, Cancelled(), force=True)
        raise Abort("The flow run was cancelled.") from None
    finally:
        watcher.cancel()


async def _until_cancelled(client: InlineClient, run_id: UUID) -> None:
    while True:
        await asyncio.sleep(CANCELLATION_POLL_SECONDS)
        # A server that does not answer now is asked again; the body reports it if it lasts.
        with suppress(Exception):
            state = (await client.read_flow_run(run_id)).state
            if state is not None and (state.is_cancelling() or state.is_cancelled()):
                return
