"""Ending the flow runs of commands that died: their processes could not say so.

Loads Prefect: import it only after the environment names the server.
"""

from __future__ import annotations

import asyncio

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterParentTaskRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, StateType
from prefect.states import Cancelled, Crashed

from cli.pipeline.run_counts import UNFINISHED
from fanout.orphans import was_never_retried
from fanout.runs import READ_LIMIT, batches, read_all, read_runs, read_subflows, set_states
from servers.leases import Leases
from servers.readiness import server_errors

EXECUTING = (StateType.PENDING, StateType.RUNNING, StateType.CANCELLING)
"""States of a run that a process has taken."""


def recover(leases: Leases | None) -> None:
    """End the flow runs that commands which died have left behind on the current server.

    Args:
        leases: Which of its runs this machine's commands execute; None for a server of our own
            that has just started.

    Raises:
        CommandError: The server refused or failed a request.
    """

    async def recovered() -> None:
        async with get_client() as client:
            if leases is None:
                await end_everything_under_way(client)
            else:
                await end_lapsed(client, leases)

    with server_errors():
        asyncio.run(recovered())


async def end_everything_under_way(client: PrefectClient) -> int:
    """End what was under way on a server of our own when it stopped; returns how many runs.

    It stops with the command that started it, and with both stop the worker and its jobs. What a
    person has submitted waits for the next worker; what a parent has submitted does not: that
    parent is gone.
    """
    taken = await read_all(client, FlowRunFilter(state=_in_states(EXECUTING)))
    crashed: State[None] = Crashed(message="The process that executed it is gone.")
    await set_states(client, [r.id for r in taken], crashed, only=EXECUTING, force=True)
    waiting = await read_all(
        client,
        FlowRunFilter(
            parent_task_run_id=FlowRunFilterParentTaskRunId(is_null_=False),
            state=_in_states((StateType.SCHEDULED,)),
        ),
    )
    left = [run.id for run in waiting if was_never_retried(run)]
    cancelled: State[None] = Cancelled(message="The process that waited for it is gone.")
    await set_states(client, left, cancelled, only=[StateType.SCHEDULED], force=True)
    return len(taken) + len(left)


async def end_lapsed(client: PrefectClient, leases: Leases) -> int:
    """End the orchestrator runs of this machine's commands that died, and all runs below them.

    A command's worker and its jobs die with it. What somebody has retried since is left alone.
    Returns how many runs were ended.
    """
    with leases.lapsed() as lapsed:
        roots = (await read_runs(client, lapsed)).values()
        dead = [run for run in roots if _is_final(run) or was_never_retried(run)]
        left = [run for root in dead for run in await _unfinished_of(client, root)]
        crashed: State[None] = Crashed(message="The command that executed it is gone.")
        await set_states(client, [r.id for r in left], crashed, only=UNFINISHED, force=True)
    return len(left)


async def _unfinished_of(client: PrefectClient, root: FlowRun) -> list[FlowRun]:
    """An orchestrator's run, its children and theirs, as far as they have not ended."""
    children = await read_subflows(client, root.id)
    found = [run for run in (root, *children) if not _is_final(run)]
    for parents in batches([run.id for run in children], READ_LIMIT):
        below = FlowRunFilterParentFlowRunId(any_=list(parents))
        found += await read_all(
            client, FlowRunFilter(parent_flow_run_id=below, state=_in_states(UNFINISHED))
        )
    return [run for run in found if was_never_retried(run)]


def _is_final(run: FlowRun) -> bool:
    return run.state_type in TERMINAL_STATES


def _in_states(states: tuple[StateType, ...]) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))
