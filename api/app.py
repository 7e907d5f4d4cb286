"""The application: routes, live stream, and what every request passes through."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI

from api.bodies import BodyLimit
from api.envelope import ERRORS
from api.errors import install_handlers
from api.hub import EventHub
from api.metrics import Measured, Measures
from api.parameters import check_names
from api.routes import ROUTERS
from api.security import OPEN_PATHS, authenticated
from api.services import Services

DESCRIPTION = """
Bars, signals, portfolio, orders, risk, alerts, news and runs of one installation.

Every answer is `{data, meta}` or `{error: {code, message}}`. `meta.as_of` is the moment for which
it holds, `meta.fingerprint` and the `ETag` name the data, `meta.next` is the cursor of the next
page. Times are UTC. Amounts of orders and accounts are texts that read back exactly.
"""


def create_app(
    services: Services, *, pages: Iterable[APIRouter] = (), open_paths: Iterable[str] = ()
) -> FastAPI:
    """The application.

    Args:
        services: What it works with.
        pages: Routers of pages beside the API, guarded by the same dependency.
        open_paths: Paths of those that need no key, e.g. that of a login.
    """
    app = FastAPI(
        title="trading",
        version=version("trading-fanout"),
        description=DESCRIPTION,
        # The pages that FastAPI makes of the description load scripts from another host.
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(authenticated)],
        lifespan=_life,
        # A redirect to a path with a slash would repeat the request without its guard.
        redirect_slashes=False,
    )
    app.state.services = services
    app.state.open_paths = OPEN_PATHS | frozenset(open_paths)
    app.state.hub = EventHub(services.feed)
    install_handlers(app)
    app.state.measures = Measures()
    app.add_middleware(BodyLimit)
    app.add_middleware(Measured, measures=app.state.measures)
    for router in ROUTERS:
        app.include_router(router, responses=ERRORS, dependencies=[Depends(check_names)])
    for router in pages:
        app.include_router(router, include_in_schema=False)
    return app


@contextlib.asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    async with app.state.hub.running():
        try:
            yield
        finally:
            app.state.services.database.close()
