"""Requests for many runs at once, for which Prefect's client has no method.

The routes are public. What they answer item by item, and in which words, is nowhere written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect import Task
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentFlowRunCreate
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, FlowRunPolicy, State
from prefect.client.schemas.responses import (
    DeploymentResponse,
    OrchestrationResult,
    SetStateStatus,
)
from prefect.states import Pending, to_state_create

CREATE_LIMIT = 100
"""Most runs that one bulk creation accepts."""

SET_STATE_LIMIT = 50
"""Most runs that one bulk change of state accepts."""

LOCKED = b"database is locked"
"""In the answer to a bulk creation: it is 200 even where the database refused single items."""

_PERMANENT = ("Parameter validation failed", "Invalid schema", "Parameter schema enforcement")
"""How the server's answer begins when the same request can never succeed."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the server did not create a run.

    Attributes:
        reason: In the server's words.
        transient: Whether the same request may succeed later.
    """

    reason: str
    transient: bool = False


async def ask_to_create(
    client: PrefectClient, deployment_id: UUID, requests: Sequence[DeploymentFlowRunCreate]
) -> list[UUID | Refusal]:
    """Create at most `CREATE_LIMIT` flow runs of a deployment by one request.

    One whose idempotency key is known is not created again: its id is the answer.

    Returns:
        For each request the run's id, or why there is none.
    """
    response = await client.request(
        "POST",
        f"/deployments/{deployment_id}/create_flow_run/bulk",  # type: ignore[arg-type] # the client's type lists the routes of its methods
        json=[request.model_dump(mode="json", exclude_unset=True) for request in requests],
    )
    return [_answer(item) for item in response.json()["results"]]


def _answer(item: Mapping[str, str]) -> UUID | Refusal:
    if item["status"] == "CREATED":
        return UUID(item["flow_run_id"])
    reason = item.get("error") or ""
    if reason.startswith(_PERMANENT):
        return Refusal(reason)
    return Refusal(f"The server kept failing to create it: {reason}", transient=True)


def as_created(
    run_id: UUID,
    request: DeploymentFlowRunCreate,
    state: State[None],
    deployment: DeploymentResponse,
) -> FlowRun:
    """A new run as the server holds it, without asking for it.

    Args:
        run_id: What the server answered to the request.
        request: What it was asked for.
        state: The state that it was asked for.
        deployment: The run's deployment.
    """
    return FlowRun(
        id=run_id,
        flow_id=deployment.flow_id,
        deployment_id=deployment.id,
        name=request.name or "",
        parameters=deployment.parameters | (request.parameters or {}),
        tags=[*deployment.tags, *request.tags],
        labels=request.labels or {},
        state=state,
        state_type=state.type,
        empirical_policy=request.empirical_policy or FlowRunPolicy(),
        idempotency_key=request.idempotency_key,
        parent_task_run_id=request.parent_task_run_id,
    )


async def ask_to_move(
    client: PrefectClient, wanted: FlowRunFilter, state: State[Any], *, force: bool
) -> list[OrchestrationResult[Any]]:
    """Propose a state for the runs that a filter finds, at most `SET_STATE_LIMIT`, by one request.

    Returns:
        The server's answer for each run that it found.
    """
    body = {
        "flow_runs": wanted.model_dump(mode="json", exclude_unset=True),
        "state": to_state_create(state).model_dump(mode="json", exclude_unset=True),
        "force": force,
        "limit": SET_STATE_LIMIT,
    }
    response = await client.request("POST", "/flow_runs/bulk_set_state", json=body)  # type: ignore[arg-type] # as above
    return [OrchestrationResult.model_validate(answer) for answer in response.json()["results"]]


def is_fault(answer: OrchestrationResult[Any]) -> bool:
    """Whether the server could not do what it was asked, rather than would not."""
    return answer.status is SetStateStatus.ABORT


async def link_task_run(client: PrefectClient, parent: FlowRun, deployment_name: str) -> UUID:
    """The task run of `parent` on which the runs of one deployment hang as subflows.

    Prefect's own `run_deployment` makes one such task run per child. One per parent and
    deployment shows the same graph, with every child a node, for one request in all. Its dynamic
    key makes the server answer with the same task run when a retried parent asks again.
    """
    task_run = await client.create_task_run(
        task=Task(fn=_stands_for_children, name=deployment_name),
        flow_run_id=parent.id,
        dynamic_key=f"fan-out:{deployment_name}",
        state=Pending(),
    )
    return task_run.id


def _stands_for_children() -> None:
    """Never runs: its task run is where a parent's children hang."""
