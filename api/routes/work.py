"""Flow runs: which there are, and starting those that compute."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from api.envelope import ERRORS, Answer, Answered, ApiError, answer
from api.parameters import Cursor, cursor_of, place_of, services_of
from api.repeats import IdempotencyKey, once
from api.security import Caller, Trader
from api.work import Run, Runs
from database.connection import Database
from database.orders.audit import audit
from trading.bars.intervals import Interval
from trading.instruments.symbols import Contract

router = APIRouter(prefix="/v1", tags=["runs"])

MOST_RUNS = 200

BACKTEST = "backtest/backtest"

Deployment = Literal[
    "bronze/bronze", "silver/silver", "gold/gold", "medallion/medallion", "backtest/backtest",
    "analyze-symbol/analyze-symbol", "analyze-time-partition/analyze-time-partition",
    "trading-orchestrator/orchestrator", "validate-data/validate-data",
]  # fmt: skip
"""What may be started from here: what computes, and nothing that trades."""


class FlowRun(Answered):
    """A flow run.

    Attributes:
        id: Its id.
        name: Its name.
        state: E.g. `Completed`.
        state_type: E.g. `COMPLETED`.
        created: When it was made.
        start_time: When it began; None before.
        end_time: When it ended; None before.
        tags: Its tags.
        parameters: What it was started with.
    """

    id: UUID
    name: str
    state: str
    state_type: str
    created: AwareDatetime
    start_time: AwareDatetime | None
    end_time: AwareDatetime | None
    tags: list[str]
    parameters: dict[str, Any]


class Asked(BaseModel):
    """What a request's body has."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class NewRun(Asked):
    """A flow run to start."""

    deployment: Deployment = Field(description="Its flow.", examples=["gold/gold"])
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        max_length=64,
        description="Of the flow.",
        examples=[{"symbols": ["AAPL"], "intervals": ["1d"]}],
    )


class NewBacktest(Asked):
    """Backtests to run: each parameter set on each symbol."""

    strategy: str = Field(
        pattern=r"^[a-z][a-z0-9_]{0,63}$", description="A strategy.", examples=["vegas_channel"]
    )
    symbols: tuple[Contract, ...] = Field(
        min_length=1, max_length=500, description="On which symbols.", examples=[["AAPL", "MSFT"]]
    )
    interval: Interval = Field(Interval.DAY, description="Length of a bar.")
    start: str | None = Field(
        None, max_length=40, description="First day.", examples=["2020-01-02"]
    )
    end: str | None = Field(None, max_length=40, description="Last day.", examples=["2024-12-31"])
    portfolio: bool = Field(default=False, strict=True, description="All symbols on one account.")
    grid: dict[str, list[Any]] | None = Field(
        None,
        max_length=20,
        description="Values by parameter.",
        examples=[{"lost_window": [10, 20]}],
    )
    sample: int | None = Field(
        None, ge=1, le=10_000, strict=True, description="So many random sets instead."
    )
    seed: int = Field(0, ge=0, le=2**31, strict=True, description="Of the random sets.")
    walk_forward: int | None = Field(
        None, ge=2, le=50, strict=True, description="Folds: chosen in one, traded in the next."
    )


@router.get("/runs", summary="Flow runs", response_model=Answer[list[FlowRun]])
def runs(
    request: Request,
    *,
    tag: Annotated[
        str | None,
        Query(max_length=128, pattern=r"^[^\x00]+$", description="With this tag alone."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_RUNS, description="Runs of a page.")] = 50,
    cursor: Cursor = None,
) -> Response:
    """Flow runs on the Prefect server, those that began last first."""
    skipped = _offset(cursor)
    found = _server(request).recent(limit, skipped, [tag] if tag else [])
    more = cursor_of(skipped + limit) if len(found) == limit else None
    return answer(request, found, next_cursor=more)


@router.get("/runs/{run_id}", summary="One flow run", response_model=Answer[FlowRun])
def one_run(request: Request, run_id: Annotated[UUID, Path(description="Its id.")]) -> Response:
    """A flow run by its id."""
    found = _server(request).one(run_id)
    if found is None:
        raise ApiError(404, "unknown_run", f"There is no flow run {run_id}; see /v1/runs.")
    return answer(request, found)


@router.post(
    "/runs", summary="Start a flow run", response_model=Answer[FlowRun], status_code=202,
    responses=ERRORS,
)  # fmt: skip
def start_run(
    request: Request, caller: Trader, body: NewRun, idempotency_key: IdempotencyKey
) -> Response:
    """Start what computes; what is up to date is skipped by it. Nothing that trades."""
    return _started(
        request, caller, idempotency_key, body, deployment=body.deployment,
        parameters=body.parameters,
    )  # fmt: skip


@router.get("/backtests", summary="Runs of backtests", response_model=Answer[list[FlowRun]])
def backtests(
    request: Request,
    *,
    limit: Annotated[int, Query(ge=1, le=MOST_RUNS, description="Runs of a page.")] = 50,
    cursor: Cursor = None,
) -> Response:
    """Runs of the flow `backtest`, those that began last first."""
    skipped = _offset(cursor)
    found = _server(request).recent(limit, skipped, flow="backtest")
    more = cursor_of(skipped + limit) if len(found) == limit else None
    return answer(request, found, next_cursor=more)


@router.post("/backtests", summary="Run backtests", response_model=Answer[FlowRun], status_code=202)
def start_backtest(
    request: Request, caller: Trader, body: NewBacktest, idempotency_key: IdempotencyKey
) -> Response:
    """Run backtests; `/v1/runs/{run_id}` tells how far they are."""
    parameters = body.model_dump(mode="json", exclude_none=True)
    return _started(
        request, caller, idempotency_key, body, deployment=BACKTEST, parameters=parameters
    )


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


def _started(
    request: Request,
    caller: Caller,
    key: str,
    body: BaseModel,
    *,
    deployment: str,
    parameters: dict[str, Any],
) -> Response:
    server = _server(request)
    # The server knows the wish by the same name: what was started before a crash is found again.
    name = hashlib.sha256(f"{caller.key_id or caller.name}\0{key}".encode()).hexdigest()

    def start(database: Database) -> Run:
        made = server.start(deployment, parameters, f"api-{name}")
        audit(
            database.rows, who=caller.name, action="start run", subject=deployment,
            why="asked for", detail={"flow_run_id": str(made.id)},
        )  # fmt: skip
        return made

    return once(request, caller, key, body, start, status=202)
