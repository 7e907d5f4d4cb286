"""Flow runs: which there are, and starting those that compute."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.envelope import ERRORS, Answer, ApiError, answer
from api.parameters import Cursor, cursor_of, place_of, services_of
from api.prefect_runs import Run, Runs
from api.repeats import Body, IdempotencyKey, once
from api.security import Caller, Trader
from database.connection import Database
from database.orders.audit import audit

router = APIRouter(prefix="/v1", tags=["runs"])

MOST_RUNS = 200

Deployment = Literal[
    "bronze/bronze", "silver/silver", "gold/gold", "medallion/medallion", "backtest/backtest",
    "analyze-symbol/analyze-symbol", "analyze-time-partition/analyze-time-partition",
    "trading-orchestrator/orchestrator", "validate-data/validate-data",
]  # fmt: skip
"""What may be started from here: what computes, and nothing that trades."""


class NewRun(Body):
    """A flow run to start."""

    deployment: Deployment = Field(description="Its flow.", examples=["gold/gold"])
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        max_length=64,
        description="Of the flow.",
        examples=[{"symbols": ["AAPL"], "intervals": ["1d"]}],
    )


@router.get("/runs", summary="Flow runs", response_model=Answer[list[Run]])
def runs(
    request: Request,
    *,
    tag: Annotated[
        str | None,
        Query(max_length=128, pattern=r"^[^\x00]+$", description="Only with this tag."),
    ] = None,
    flow: Annotated[
        str | None, Query(pattern=r"^[a-z][a-z0-9-]{0,127}$", description="Only of this flow.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_RUNS, description="Runs per page.")] = 50,
    cursor: Cursor = None,
) -> Response:
    """Flow runs on the Prefect server, those that began last first."""
    skipped = _offset(cursor)
    found = _server(request).recent(limit, skipped, [tag] if tag else [], flow)
    more = cursor_of(skipped + limit) if len(found) == limit else None
    return answer(request, found, next_cursor=more)


@router.get("/runs/{run_id}", summary="One flow run", response_model=Answer[Run])
def one_run(request: Request, run_id: Annotated[UUID, Path(description="Its id.")]) -> Response:
    """A flow run by its id."""
    found = _server(request).one(run_id)
    if found is None:
        raise ApiError(404, "unknown_run", f"There is no flow run {run_id}; see /v1/runs.")
    return answer(request, found)


@router.post(
    "/runs", summary="Start a flow run", response_model=Answer[Run], status_code=202,
    responses=ERRORS,
)  # fmt: skip
def start_run(
    request: Request, caller: Trader, body: NewRun, idempotency_key: IdempotencyKey
) -> Response:
    """Start what computes; what is up to date is skipped by it. Nothing that trades."""
    return started(
        request, caller, idempotency_key, body, deployment=body.deployment,
        parameters=body.parameters,
    )  # fmt: skip


def _offset(cursor: str | None) -> int:
    place = place_of(cursor, int)
    return min(max(0, place or 0), 10_000_000)


def _server(request: Request) -> Runs:
    found = services_of(request).runs
    if found is None:
        raise ApiError(
            503,
            "prefect_unavailable",
            "No Prefect server is named; set PREFECT_API_URL and start trading api again.",
        )
    return found


def started(
    request: Request,
    caller: Caller,
    key: str,
    body: BaseModel,
    *,
    deployment: str,
    parameters: dict[str, Any],
) -> Response:
    """Start a deployment's flow once, note it in the audit, and answer with its run.

    Args:
        request: The request.
        caller: Who asks.
        key: The caller's name of the request.
        body: What is asked for.
        deployment: `flow/deployment`.
        parameters: Of the flow.

    Raises:
        ApiError: No server is named, or the key was used for another request.
        DeploymentMissingError, ParametersRefusedError, RunsUnavailableError: It is not started.
    """
    server = _server(request)
    # Prefect gets the same key: a run that was started before a crash is found again.
    name = hashlib.sha256(f"{caller.key_id or caller.name}\0{key}".encode()).hexdigest()

    def start(database: Database) -> Run:
        made = server.start(deployment, parameters, f"api-{name}")
        audit(
            database.rows, who=caller.name, action="start run", subject=deployment,
            why="asked for", detail={"flow_run_id": str(made.id)},
        )  # fmt: skip
        return made

    return once(request, caller, key, body, start, status=202)
