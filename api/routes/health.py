"""Health: which parts answer, and which data are old."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import AwareDatetime

from api.envelope import Answer, Answered, answer
from api.hub import EventHub
from api.prefect_runs import RunsUnavailableError
from api.services import Services
from database.errors import DatabaseError
from storage.directory import open_directory
from storage.errors import FileError

router = APIRouter(prefix="/v1", tags=["health"])


class Part(Answered):
    """One service that the API needs.

    Attributes:
        name: Which.
        state: `ok`; `down`; `unused` when this installation has none.
        detail: What that means for the data.
        since: Since when it is so; None where that is not known.
    """

    name: Literal["database", "bus", "prefect", "lake"]
    state: Literal["ok", "down", "unused"]
    detail: str
    since: AwareDatetime | None = None


class Health(Answered):
    """The state of the API.

    Attributes:
        state: `ok`, or `degraded` when a part is down.
        parts: Its parts.
        old: Which data are old or missing now.
        last_event_at: When the newest live event came; None before the first.
    """

    state: Literal["ok", "degraded"]
    parts: list[Part]
    old: list[str]
    last_event_at: AwareDatetime | None


class Alive(Answered):
    """The process answers."""

    state: Literal["ok"] = "ok"


_OLD = {
    "database": "orders, positions, risk, alerts, signals, gaps and news: not available",
    "bus": "live events: nothing new arrives",
    "prefect": "runs: not available, and none can be started",
    "lake": "bars and indicators of the lake: not available",
}


@router.get("/health/live", summary="Whether the process answers", response_model=Answer[Alive])
def live(request: Request) -> Response:
    """For probes: asks nothing else."""
    return answer(request, Alive())


@router.get("/health", summary="Health of the parts", response_model=Answer[Health])
def health(request: Request) -> Response:
    """Which parts answer now, and which data are old because one does not."""
    services: Services = request.app.state.services
    hub: EventHub = request.app.state.hub
    return answer(request, health_of(services, hub))


def health_of(services: Services, hub: EventHub) -> Health:
    """The state of the API, asked of each part now."""
    parts = [_database(services), _bus(hub), _prefect(services), _lake(services)]
    down = [part.name for part in parts if part.state == "down"]
    return Health(
        state="degraded" if down else "ok",
        parts=parts,
        old=[_OLD[name] for name in down],
        last_event_at=hub.last_event_at,
    )


def _database(services: Services) -> Part:
    try:
        with services.database.connection() as database, database.transaction() as connection:
            connection.execute("SELECT 1")
    except DatabaseError:
        return Part(name="database", state="down", detail="The database does not answer.")
    return Part(name="database", state="ok", detail="The database answers.")


def _bus(hub: EventHub) -> Part:
    if not hub.has_feed:
        return Part(
            name="bus", state="unused", detail="No bus is configured: there are no live events."
        )
    if hub.lost_since is not None:
        detail = "The bus does not answer."
        return Part(name="bus", state="down", detail=detail, since=hub.lost_since)
    return Part(name="bus", state="ok", detail="The bus answers.")


def _prefect(services: Services) -> Part:
    if services.runs is None:
        return Part(name="prefect", state="unused", detail="No Prefect server is named.")
    try:
        services.runs.recent(1, 0)
    except RunsUnavailableError:
        return Part(name="prefect", state="down", detail="The Prefect server does not answer.")
    return Part(name="prefect", state="ok", detail="The Prefect server answers.")


def _lake(services: Services) -> Part:
    try:
        open_directory(services.lake_dir, "lake_dir").list_folders()
    except FileError:
        return Part(name="lake", state="down", detail="The lake cannot be read.")
    return Part(name="lake", state="ok", detail="The lake can be read.")
