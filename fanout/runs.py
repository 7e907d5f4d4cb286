"""A parent's runs on the server: the few REST calls that a fan-out makes, each for many runs."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar
from uuid import UUID

import httpx
import stamina
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentFlowRunCreate
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterParentTaskRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import TERMINAL_STATES, FlowRun, State, StateType
from prefect.client.schemas.responses import DeploymentResponse, OrchestrationResult
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Cancelling

from fanout.prefect_engine import bulk
from fanout.prefect_engine.bulk import Refusal

READ_LIMIT = 200
"""Most runs that one read answers."""

ROUNDS = 16
"""How often a request that failed for a passing reason is sent at most: over some 100 s, as long
as SQLite's locks have been seen to keep single items of a bulk creation failing."""

PATIENCE_SECONDS = 300.0
"""How long a server that is gone is waited for: a restart, with the migration of its database."""

CANCELLABLE = (StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.PAUSED)
"""States of a run that has not ended, and is not being cancelled yet."""

PROCESS_POOL = "process"
"""The type of work pools whose jobs are processes of the worker's machine."""

UNBEGUN_SECONDS = 3.0
"""How long whoever watches over a process has to end one that has not begun its run."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class ItemsFailedError(Exception):
    """Some items of a bulk request failed for a reason that may pass."""


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items, in order, as many at a time as one request takes."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def is_transient(error: Exception) -> bool:
    """Whether a request may succeed when it is sent again: no connection, overload, a 5xx."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status in {408, 425, 429} or status >= 500  # noqa: PLR2004 - HTTP's own number
    return isinstance(error, httpx.TransportError | ItemsFailedError)


_persistently = stamina.AsyncRetryingCaller(
    attempts=ROUNDS, wait_initial=0.2, wait_max=10.0, timeout=PATIENCE_SECONDS
).on(is_transient)


async def until_answered(ask: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """The answer to a request that may be repeated, asked for again after passing faults."""
    return await _persistently(ask, *arguments)


async def create_runs(
    client: PrefectClient, deployment_id: UUID, requests: Sequence[DeploymentFlowRunCreate]
) -> list[UUID | Refusal]:
    """Create flow runs of one deployment, in order, whatever happens on the way.

    Each request must carry an idempotency key: one whose reply was lost, or which the server
    reports as failed (it answers 200 with a status per item), is sent again and found.

    Returns:
        For each request the run's id, or why there will be none.
    """
    created: list[UUID | Refusal] = []
    for batch in batches(requests, bulk.CREATE_LIMIT):
        created += await _create_batch(client, deployment_id, batch)
    return created


async def _create_batch(
    client: PrefectClient, deployment_id: UUID, requests: Sequence[DeploymentFlowRunCreate]
) -> list[UUID | Refusal]:
    answers: list[UUID | Refusal] = [Refusal("It was not asked for.", transient=True)] * len(
        requests
    )

    async def ask_for_missing() -> None:
        missing = [i for i, answer in enumerate(answers) if _may_come(answer)]
        asked = await bulk.ask_to_create(client, deployment_id, [requests[i] for i in missing])
        for i, answer in zip(missing, asked, strict=True):
            answers[i] = answer
        if any(map(_may_come, answers)):
            raise ItemsFailedError

    with suppress(ItemsFailedError):
        await _persistently(ask_for_missing)
    return answers


def _may_come(answer: UUID | Refusal) -> bool:
    return isinstance(answer, Refusal) and answer.transient


async def queues_elsewhere(client: PrefectClient, deployment: DeploymentResponse) -> bool:
    """Whether what a worker makes of the deployment's runs waits for its place outside the worker.

    A process worker starts what it takes, or is gone with it; a cluster keeps a job until there
    is room for it.
    """
    if deployment.work_pool_name is None:
        return False
    pool = await _persistently(client.read_work_pool, deployment.work_pool_name)
    return pool.type != PROCESS_POOL


async def read_runs(client: PrefectClient, run_ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
    """The given runs as the server knows them now, by id."""
    found: dict[UUID, FlowRun] = {}
    for batch in batches(run_ids, READ_LIMIT):
        runs = await _page(client, FlowRunFilter(id=FlowRunFilterId(any_=list(batch))))
        found |= {run.id: run for run in runs}
    return found


async def read_ended(client: PrefectClient, run_ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
    """Those of the given runs that have reached a final state, by id: one request per 200."""
    return await _read_in(client, run_ids, sorted(TERMINAL_STATES))


async def read_stopped(client: PrefectClient, run_ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
    """Those of the given runs that are, or are being, cancelled or paused, by id."""
    return await _read_in(
        client, run_ids, [StateType.CANCELLING, StateType.CANCELLED, StateType.PAUSED]
    )


async def _read_in(
    client: PrefectClient, run_ids: Sequence[UUID], states: list[StateType]
) -> dict[UUID, FlowRun]:
    found: dict[UUID, FlowRun] = {}
    wanted_states = FlowRunFilterState(type=FlowRunFilterStateType(any_=states))
    for batch in batches(run_ids, READ_LIMIT):
        wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(batch)), state=wanted_states)
        found |= {run.id: run for run in await _page(client, wanted)}
    return found


async def read_children(client: PrefectClient, parent_task_run_id: UUID) -> list[FlowRun]:
    """All runs that hang on a parent's task run, whoever made them."""
    return await read_all(
        client,
        FlowRunFilter(parent_task_run_id=FlowRunFilterParentTaskRunId(any_=[parent_task_run_id])),
    )


async def read_subflows(client: PrefectClient, parent_flow_run_id: UUID) -> list[FlowRun]:
    """All runs that are shown as subflows of a flow run."""
    return await read_all(
        client,
        FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent_flow_run_id])),
    )


async def read_all(client: PrefectClient, wanted: FlowRunFilter) -> list[FlowRun]:
    """All runs that a filter finds, however many pages they take."""
    found: list[FlowRun] = []
    while True:
        page = await _page(client, wanted, offset=len(found))
        found += page
        if len(page) < READ_LIMIT:
            return found


async def _page(client: PrefectClient, wanted: FlowRunFilter, offset: int = 0) -> list[FlowRun]:
    return await _persistently(
        client.read_flow_runs,
        flow_run_filter=wanted,
        sort=FlowRunSort.ID_DESC,
        limit=READ_LIMIT,
        offset=offset,
    )


async def link_task_run(client: PrefectClient, parent: FlowRun, deployment_name: str) -> UUID:
    """The task run of `parent` on which the runs of one deployment hang as subflows."""
    return await _persistently(bulk.link_task_run, client, parent, deployment_name)


async def set_states(
    client: PrefectClient,
    run_ids: Sequence[UUID],
    state: State[None],
    *,
    only: Sequence[StateType],
    force: bool,
) -> None:
    """Propose one state for those of the given runs that are in one of the states `only`.

    Args:
        client: The API client.
        run_ids: The runs.
        state: The state to set.
        only: States from which a run is moved.
        force: Whether to set it even where Prefect's rules would say otherwise.
    """
    for batch in batches(run_ids, bulk.SET_STATE_LIMIT):
        answers = await move(client, batch, state, only=only, force=force)
        if any(map(bulk.is_fault, answers)):
            # What the server cannot be told stops no other work; its own log has the reason.
            _log.warning("The server did not set all of %d runs %s.", len(batch), state.name)


async def cancel_jobs(client: PrefectClient, run_ids: Sequence[UUID], message: str) -> None:
    """Cancel those of the given runs that are jobs under way.

    The server ends at once what no worker has taken. What has a process is ended by whoever
    watches over it. A process that never begins, as of a Job for which no node has room, is
    watched by nobody; after a while its run is ended here, and should it begin, it finds that.

    Args:
        client: The API client.
        run_ids: The runs.
        message: Why.
    """
    cancelling: State[None] = Cancelling(message=message)
    await set_states(client, run_ids, cancelling, only=CANCELLABLE, force=False)
    stopping = await _read_in(client, run_ids, [StateType.CANCELLING])
    if not any(run.start_time is None for run in stopping.values()):
        return
    await asyncio.sleep(UNBEGUN_SECONDS)
    left = await _read_in(client, list(stopping), [StateType.CANCELLING])
    unbegun = [run.id for run in left.values() if run.start_time is None]
    cancelled: State[None] = Cancelled(message=message)
    await set_states(client, unbegun, cancelled, only=[StateType.CANCELLING], force=True)


async def move(
    client: PrefectClient,
    run_ids: Sequence[UUID],
    state: State[Any],
    *,
    only: Sequence[StateType],
    force: bool,
) -> list[OrchestrationResult[Any]]:
    """As `set_states`, for at most 50 runs: the server's answer for each that it found."""
    wanted = FlowRunFilter(
        id=FlowRunFilterId(any_=list(run_ids)),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(only))),
    )
    answers: list[OrchestrationResult[Any]] = []

    async def ask() -> None:
        answers[:] = await bulk.ask_to_move(client, wanted, state, force=force)
        # From the states named, only a fault aborts; a run that has left them is not found again.
        if any(map(bulk.is_fault, answers)):
            raise ItemsFailedError

    with suppress(ItemsFailedError):
        await _persistently(ask)
    return answers
