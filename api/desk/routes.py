"""All routes of the desk, and the task that runs beside them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request, Response

from api.desk import actions, socket
from api.desk.assets import assets
from api.desk.desk import Desk, DeskSettings
from api.desk.pages import messages, overview, pipeline, portfolio, strategies, symbol
from api.services import Services


@dataclass(frozen=True, slots=True)
class DeskRoutes:
    """What `create_app` takes.

    Attributes:
        router: Every page, with its data.
        open_paths: What needs no key: the door, and the files that pages are made of.
    """

    router: APIRouter
    open_paths: frozenset[str]


def desk_routes(services: Services, settings: DeskSettings | None = None) -> DeskRoutes:
    """The desk beside an API.

    Args:
        services: What it shares with the API.
        settings: Its configuration.
    """
    desk = Desk.of(services, settings or DeskSettings())

    @contextlib.asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        app.state.desk = desk
        async with desk.pusher.running(lambda: app.state.hub.lost_since):
            yield

    router = APIRouter(lifespan=life)
    for part in (
        actions.pages, actions.data, overview.pages, overview.data, symbol.pages, symbol.data,
        portfolio.pages, strategies.pages, pipeline.pages, pipeline.data, messages.pages,
        socket.router,
    ):  # fmt: skip
        router.include_router(part)
    router.add_api_route("/desk/files/{folder}/{name}", _file, methods=["GET"])
    return DeskRoutes(router, assets().paths | {actions.LOGIN})


def _file(request: Request) -> Response:
    """A file of the pages."""
    return assets().served(request)
