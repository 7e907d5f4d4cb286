"""Alerts, news and settings: what was said, and how the viewer wants the desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from api.desk import shown
from api.desk.assets import CHARTS_VERSION, NOTICE
from api.desk.desk import DeskOf
from api.desk.reading.alerts import last_events, rules
from api.desk.reading.news import articles
from api.desk.rendering import HEADERS, LOOK_COOKIE, PALETTES, THEMES, PageRoute, page
from api.desk.shown import Tone
from api.envelope import ApiError
from database.live.heartbeats import Heartbeat
from trading.operations.health import SILENCE

pages = APIRouter(route_class=PageRoute)

_LOOK_SECONDS = 400 * 86_400


@dataclass(frozen=True, slots=True)
class Service:
    """A process, as texts."""

    name: str
    state: str
    tone: Tone
    age: str
    detail: str


@pages.get("/alerts")
def alerts(request: Request, desk: DeskOf) -> Response:
    """What fires, what was said, and the rules."""
    with desk.services.database.connection() as database:
        said, known = last_events(database), rules(database)
    firing = desk.pusher.state.firing
    return page(request, desk, "alerts.html", "Alerts", firing=firing, events=said, rules=known)


@pages.get("/news")
def news(request: Request, desk: DeskOf) -> Response:
    """The last articles."""
    with desk.services.database.connection() as database:
        found = articles(database)
    return page(request, desk, "news.html", "News", articles=found)


@pages.get("/settings")
def settings(request: Request, desk: DeskOf) -> Response:
    """How the viewer wants the desk, and how its services do."""
    now = (desk.settings.wall or desk.settings.now)()
    services = [_service(beat, now) for beat in desk.pusher.state.services]
    return page(
        request,
        desk,
        "settings.html",
        "Settings",
        services=services,
        charts_version=CHARTS_VERSION,
        notice=NOTICE,
    )


@pages.post("/settings")
def keep_settings(theme: Annotated[str, Form()], palette: Annotated[str, Form()]) -> Response:
    """Keep a theme and a palette in the viewer's browser.

    Raises:
        ApiError: One is none of those that there are.
    """
    if theme not in THEMES or palette not in PALETTES:
        raise ApiError(422, "invalid_parameter", "That theme or palette does not exist.")
    answer = RedirectResponse("/settings", 303, HEADERS)
    answer.set_cookie(
        LOOK_COOKIE, f"{theme}.{palette}", _LOOK_SECONDS, httponly=True, samesite="strict"
    )
    return answer


def _service(beat: Heartbeat, now: datetime) -> Service:
    silent = now - beat.beat_at > SILENCE and beat.state != "stopped"
    tones: dict[str, Tone] = {"running": "good", "stopped": "quiet"}
    return Service(
        name=f"{beat.service} {beat.instance}",
        state="silent" if silent else beat.state,
        tone="bad" if silent else tones.get(beat.state, "warn"),
        age=shown.age((now - beat.beat_at).total_seconds()),
        detail=", ".join(f"{name}: {value}" for name, value in beat.detail.items()),
    )
