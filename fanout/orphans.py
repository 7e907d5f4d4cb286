"""Runs that nobody executes any more: found below a run whose process is gone, and ended.

A run that executes inside its parent's process cannot outlive it, and cannot say so: it stays
Pending or Running until somebody else ends it. A run in a job of its own is its worker's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, StateType
from prefect.states import Crashed

from fanout import runs
from fanout.children import Placement
from fanout.decisions import parent_of
from fanout.tracked import Tracked

PLACEMENT_LABEL = "fanout.placement"
"""The label of a flow run that says where its parent meant it to execute."""

UNFINISHED = tuple(sorted(frozenset(StateType) - TERMINAL_STATES))
UNDER_WAY = (StateType.PENDING, StateType.RUNNING)

GONE = "The process that executed it is gone."


async def end_orphans() -> int:
    """End the runs that executed inside a parent which has ended; returns how many those were.

    What a parent that was killed leaves behind once the server knows that it has ended. Runs
    below a parent that has not ended are left alone, and so is one that somebody has retried: a
    worker executes that.

    Raises:
        httpx.HTTPError: The server refuses, or does not answer for minutes.
    """
    ended: set[UUID] = set()
    async with get_client() as client:
        # Those below the ones just ended are orphans now: once more for each level.
        while orphans := [run for run in await _orphans(client) if run.id not in ended]:
            await _end_inline(client, orphans)
            ended |= {run.id for run in orphans}
    return len(ended)


async def end_below(client: PrefectClient, parents: Sequence[UUID]) -> None:
    """End what is unfinished below runs whose process is gone.

    What executed inside that process has crashed with it. Jobs of their own are cancelled:
    whoever does the parent's work again has jobs of their own for it.
    """
    level = list(parents)
    while level:
        below = [
            run
            for batch in runs.batches(level, runs.READ_LIMIT)
            for run in await _unfinished_below(client, batch)
        ]
        inline = [run for run in below if _is_inline(run)]
        await _end_inline(client, inline)
        jobs = [run.id for run in below if not _is_inline(run)]
        await runs.cancel_jobs(client, jobs, "The process that waited for it is gone.")
        level = [run.id for run in inline]


async def mark_crashed(client: PrefectClient, lost: Sequence[Tracked], message: str) -> None:
    """Say on the server what happened to runs that nobody executes any more."""
    state: State[None] = Crashed(message=message)
    ids = [t.run.id for t in lost if t.run]
    await runs.set_states(client, ids, state, only=runs.CANCELLABLE, force=True)
    for t in lost:
        t.record_state(state)
    await end_below(client, ids)


async def _end_inline(client: PrefectClient, orphans: Iterable[FlowRun]) -> None:
    gone: State[None] = Crashed(message=GONE)
    await runs.set_states(client, [r.id for r in orphans], gone, only=UNFINISHED, force=True)


async def _unfinished_below(client: PrefectClient, parents: Sequence[UUID]) -> list[FlowRun]:
    return await runs.read_all(
        client,
        FlowRunFilter(
            parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=list(parents)),
            state=_in_states(UNFINISHED),
        ),
    )


async def _orphans(client: PrefectClient) -> list[FlowRun]:
    """The inline runs under way, for the first time, whose parent has ended."""
    children = await runs.read_all(
        client,
        # Not only of those that have a link: the server cuts it when their parent is deleted.
        FlowRunFilter(state=_in_states(UNDER_WAY)),
    )
    inline = [run for run in children if _is_inline(run) and was_never_retried(run)]
    parents = {parent for run in inline if (parent := parent_of(run))}
    known = await runs.read_runs(client, sorted(parents))
    going = {run.id for run in known.values() if run.state_type in UNFINISHED}
    return [run for run in inline if parent_of(run) not in going]


def _is_inline(run: FlowRun) -> bool:
    return run.labels.get(PLACEMENT_LABEL) == Placement.INLINE.value


def was_never_retried(run: FlowRun) -> bool:
    """Whether an unfinished run is in its first execution, or before it.

    Who creates a run starts it once. What starts again somebody has retried, and a worker took.
    """
    waiting = run.state_type in (StateType.SCHEDULED, StateType.PENDING)
    return run.run_count <= (0 if waiting else 1)


def _in_states(states: Sequence[StateType]) -> FlowRunFilterState:
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=list(states)))
