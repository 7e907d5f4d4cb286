"""The desk on a socket of this machine, over a database that is filled as `seed` has it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import datetime

import uvicorn

from api.app import create_app
from api.desk.desk import DeskSettings
from api.desk.routes import desk_routes
from api.feed import Feed
from api.prefect_runs import Runs
from api.services import Services
from database.api.pool import DatabasePool
from tests.api.desk import seed


@contextlib.contextmanager
def desk_server(
    url: str,
    lake_dir: str,
    *,
    keys_needed: bool = False,
    runs: Runs | None = None,
    feed: Feed | None = None,
    port: int = 0,
    now: Callable[[], datetime] = lambda: seed.NOW,
) -> Iterator[str]:
    """The desk's address, while the block lasts."""
    services = Services(
        database=DatabasePool(url), lake_dir=lake_dir, keys_needed=keys_needed, runs=runs, feed=feed
    )
    settings = DeskSettings(limits=seed.LIMITS, prefect_ui="http://127.0.0.1:4200", now=now)
    routes = desk_routes(services, settings)
    app = create_app(services, pages=[routes.router], open_paths=routes.open_paths)
    with socket.create_server(("127.0.0.1", port)) as listening:
        config = uvicorn.Config(
            app, log_level="warning", ws_per_message_deflate=False, timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(20)
