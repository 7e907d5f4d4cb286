"""The desk's application in this process, asked without a socket."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Self

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.desk.desk import Desk, DeskSettings
from api.desk.routes import desk_routes
from api.services import Services
from database.api.pool import DatabasePool


@dataclass(frozen=True)
class Application:
    """The desk, its application, and who asks it.

    Attributes:
        desk: The desk.
        client: Asks it as a browser of this machine does.
    """

    desk: Desk
    client: httpx.AsyncClient

    @classmethod
    @contextlib.asynccontextmanager
    async def running(
        cls, url: str, lake_dir: str, settings: DeskSettings, **more: Any
    ) -> AsyncIterator[Self]:
        """An application that has looked at the database once."""
        services = Services(
            database=DatabasePool(url),
            lake_dir=lake_dir,
            keys_needed=more.pop("keys_needed", False),
            **more,
        )
        routes = desk_routes(services, settings)
        app: FastAPI = create_app(services, pages=[routes.router], open_paths=routes.open_paths)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
        ):
            await app.state.desk.pusher.look()
            yield cls(app.state.desk, client)

    async def page(self, path: str, status: int = 200) -> str:
        """A page's text."""
        answer = await self.client.get(path)
        assert answer.status_code == status, answer.text
        return answer.text
