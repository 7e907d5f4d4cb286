"""A parent's runs on the server: the few REST calls that a fan-out makes, each for many runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

import httpx
import stamina
from prefect import Task
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
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Pending, to_state_create

CREATE_LIMIT = 100
"""Most runs that one bulk creation accepts."""

SET_STATE_LIMIT = 50
"""Most runs that one bulk change of state accepts."""

READ_LIMIT = 200
"""Most runs that one read answers."""

CREATE_ROUNDS = 8
"""How often a run whose creation failed for a passing reason is asked for again."""

_PERMANENT = ("Parameter validation failed", "Invalid schema", "Parameter schema enforcement")
"""How the server's answer begins when the same request can never succeed."""

_GAVE_UP = "The server kept failing to create it; see the server's log."

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the server did not create a run."""

    reason: str


class ItemsFailedError(Exception):
    """Some items of a bulk creation failed for a reason that may pass."""


def _batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), size):
        yield items[first : first + size]


def passing_fault(error: Exception) -> bool:
    """Whether a request may succeed when it is sent again: no connection, overload, a 5xx."""
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status in {408, 425, 429} or status >= 500  # noqa: PLR2004 - HTTP's own number
    return isinstance(error, httpx.TransportError | ItemsFailedError)


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
    for batch in _batches(requests, CREATE_LIMIT):
        created += await _create_batch(client, deployment_id, batch)
    return created


async def _create_batch(
    client: PrefectClient, deployment_id: UUID, requests: Sequence[DeploymentFlowRunCreate]
) -> list[UUID | Refusal]:
    answers: dict[int, UUID | Refusal | None] = {}
    try:
        async for attempt in stamina.retry_context(
            on=passing_fault, attempts=CREATE_ROUNDS, wait_initial=0.2, wait_max=10, timeout=120
        ):
            with attempt:
                missing = [i for i in range(len(requests)) if answers.get(i) is None]
                asked = await _ask_for(client, deployment_id, [requests[i] for i in missing])
                answers |= dict(zip(missing, asked, strict=True))
                _check_all_answered(answers)
    except ItemsFailedError:
        pass
    return [answers[i] or Refusal(_GAVE_UP) for i in range(len(requests))]


async def _ask_for(
    client: PrefectClient, deployment_id: UUID, requests: Sequence[DeploymentFlowRunCreate]
) -> list[UUID | Refusal | None]:
    """Ask once; None for an item that failed for a reason that may pass."""
    response = await client.request(
        "POST",
        # A public route that the client has no method for, nor a type.
        f"/deployments/{deployment_id}/create_flow_run/bulk",  # type: ignore[arg-type]
        json=[request.model_dump(mode="json", exclude_unset=True) for request in requests],
    )
    return [_answer(item) for item in response.json()["results"]]


def _answer(item: Mapping[str, str]) -> UUID | Refusal | None:
    if item["status"] == "CREATED":
        return UUID(item["flow_run_id"])
    reason = item.get("error") or ""
    return Refusal(reason) if reason.startswith(_PERMANENT) else None


def _check_all_answered(answers: Mapping[int, UUID | Refusal | None]) -> None:
    if None in answers.values():
        raise ItemsFailedError


async def read_runs(client: PrefectClient, run_ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
    """The given runs as the server knows them now, by id."""
    found: dict[UUID, FlowRun] = {}
    for batch in _batches(run_ids, READ_LIMIT):
        runs = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(batch))), limit=READ_LIMIT
        )
        found |= {run.id: run for run in runs}
    return found


async def read_ended(client: PrefectClient, run_ids: Sequence[UUID]) -> dict[UUID, FlowRun]:
    """Those of the given runs that have reached a final state, by id: one request per 200."""
    ended: dict[UUID, FlowRun] = {}
    final = FlowRunFilterState(type=FlowRunFilterStateType(any_=sorted(TERMINAL_STATES)))
    for batch in _batches(run_ids, READ_LIMIT):
        runs = await client.read_flow_runs(
            flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=list(batch)), state=final),
            limit=READ_LIMIT,
        )
        ended |= {run.id: run for run in runs}
    return ended


async def read_children(client: PrefectClient, parent_task_run_id: UUID) -> list[FlowRun]:
    """All runs that hang on a parent's task run, whoever made them."""
    return await _all_pages(
        client,
        FlowRunFilter(parent_task_run_id=FlowRunFilterParentTaskRunId(any_=[parent_task_run_id])),
    )


async def read_subflows(client: PrefectClient, parent_flow_run_id: UUID) -> list[FlowRun]:
    """All runs that are shown as subflows of a flow run."""
    return await _all_pages(
        client,
        FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[parent_flow_run_id])),
    )


async def _all_pages(client: PrefectClient, wanted: FlowRunFilter) -> list[FlowRun]:
    found: list[FlowRun] = []
    while True:
        page = await client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.ID_DESC, limit=READ_LIMIT, offset=len(found)
        )
        found += page
        if len(page) < READ_LIMIT:
            return found


async def link_task_run(client: PrefectClient, parent: FlowRun, deployment_name: str) -> UUID:
    """The task run of `parent` on which the runs of one deployment hang as subflows.

    Prefect's own `run_deployment` makes one such task run per child. One per parent and
    deployment shows the same graph, with every child a node, for one request in all. Its dynamic
    key makes the server answer with the same task run when a retried parent asks again.
    """
    task = Task(fn=_stands_for_children, name=deployment_name)
    task_run = await client.create_task_run(
        task=task, flow_run_id=parent.id, dynamic_key=f"fan-out:{deployment_name}", state=Pending()
    )
    return task_run.id


def _stands_for_children() -> None:
    """Never runs: its task run is where a parent's children hang."""


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
    for batch in _batches(run_ids, SET_STATE_LIMIT):
        wanted = FlowRunFilter(
            id=FlowRunFilterId(any_=list(batch)),
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(only))),
        )
        await client.request(
            "POST",
            # As above: public, without a client method.
            "/flow_runs/bulk_set_state",  # type: ignore[arg-type]
            json={
                "flow_runs": wanted.model_dump(mode="json", exclude_unset=True),
                "state": to_state_create(state).model_dump(mode="json", exclude_unset=True),
                "force": force,
                "limit": SET_STATE_LIMIT,
            },
        )
