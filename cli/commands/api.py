"""`trading api`: REST, live events, metrics and the desk, by one process."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from cli.bus import check_bus
from cli.database import database_url
from cli.extras import needs_extra
from cli.pipeline.failures import named_server
from cli.settings import existing_lake, installation
from servers.errors import USAGE, CommandError

if TYPE_CHECKING:
    from api.cache import Cache
    from api.limits import RateWindow
    from api.services import Services
    from flows.boundary.settings import Settings

REDIS_SECONDS = 0.25
"""How long the cache and the counts may take: an answer does not wait for them."""

KEEP_SECONDS = 75
"""How long a connection without a request stays open: longer than proxies and clients keep it."""

STOP_SECONDS = 8
"""How long requests under way may take when the process is told to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """How the API is served.

    Attributes:
        host: The address to listen on.
        port: The port; 0 for a free one.
        require_keys: Whether a key is needed on loopback as well.
        hosts: Names under which it is reached.
        requests_per_minute: How many requests a key may make.
        clock: Whose time the desk shows.
        lake_dir: The lake; None for that of the settings.
        server_dir: Where servers of this machine keep their data.
    """

    host: str
    port: int
    require_keys: bool
    hosts: tuple[str, ...]
    requests_per_minute: int
    clock: Literal["wall", "events"]
    lake_dir: str | None
    server_dir: Path


def run_api(options: ApiOptions) -> None:
    """Serve until the process is told to end.

    Raises:
        CommandError: The address cannot be listened on, or keys are needed and there are none.
        ParameterError, DatabaseError: The database, the bus or the lake cannot be used.
    """
    with needs_extra("live"):
        import uvicorn  # noqa: PLC0415 - an extra brings it

        from api.app import create_app  # noqa: PLC0415 - as above
        from api.desk.desk import DeskSettings, utc_now  # noqa: PLC0415 - as above
        from api.desk.routes import desk_routes  # noqa: PLC0415 - as above
        from cli.market_clock import market_clock  # noqa: PLC0415 - as above
    # What cannot be used is refused before a database is started.
    settings = installation()
    check_bus(settings)
    named_server(settings)  # the settings' credentials, where a block has them
    lake_dir = existing_lake(options.lake_dir, settings.lake_dir)
    loopback = is_loopback(options.host)
    needs_keys = options.require_keys or not loopback
    with contextlib.ExitStack() as running:
        url = running.enter_context(database_url(settings, options.server_dir))
        listening = running.enter_context(contextlib.closing(_listening(options)))
        if needs_keys:
            _check_keys(url)
        services = _services(options, settings, url, lake_dir, needs_keys=needs_keys)
        bus = settings.bus_url.get_secret_value() if settings.bus_url else None
        desk = desk_routes(
            services,
            DeskSettings(
                limits=settings.risk_limits,
                prefect_ui=_prefect_ui(),
                news_half_life=timedelta(hours=settings.news_half_life_hours),
                now=running.enter_context(market_clock(options.clock, bus)),
                wall=utc_now,
            ),
        )
        app = create_app(services, pages=[desk.router], open_paths=desk.open_paths)
        typer.echo(_instructions(options.host, listening, loopback=loopback, keys=needs_keys))
        config = uvicorn.Config(
            app, log_level="warning", lifespan="on", access_log=False, server_header=False,
            # Compressing each push for each viewer costs more than its bytes.
            ws_per_message_deflate=False, ws_max_size=65_536, h11_max_incomplete_event_size=32_768,
            timeout_graceful_shutdown=STOP_SECONDS, timeout_keep_alive=KEEP_SECONDS,
            # Who asks is told by the key; a header of a proxy is believed from this machine alone.
            proxy_headers=True, forwarded_allow_ips="127.0.0.1",
        )  # fmt: skip
        uvicorn.Server(config).run(sockets=[listening])


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, which no other can reach."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listening(options: ApiOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    found = socket.socket(family)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((options.host, options.port))
    except (OSError, OverflowError) as error:
        found.close()
        said = getattr(error, "strerror", None) or str(error)
        raise CommandError(
            f"--host {options.host} --port {options.port} cannot be listened on ({said}); name an "
            "address of this machine and a free port, or --port 0.",
            USAGE,
        ) from None
    return found


def _check_keys(url: str) -> None:
    """Refuse to serve what nobody could ask.

    Raises:
        CommandError: There is no key in force.
    """
    from database.api.keys import keys_in_force  # noqa: PLC0415 - an extra brings what it needs
    from database.connection import open_database  # noqa: PLC0415 - as above

    with open_database(url) as database:
        if not keys_in_force(database):
            raise CommandError(
                "This API needs keys and there are none; make one with trading keys create NAME, "
                "or serve on 127.0.0.1, where none is needed.",
                USAGE,
            )


def _services(
    options: ApiOptions, settings: Settings, url: str, lake_dir: str, *, needs_keys: bool
) -> Services:
    from api.prefect_runs import PrefectRuns  # noqa: PLC0415 - as above
    from api.services import Services  # noqa: PLC0415 - an extra brings what it needs
    from cli.live_feed import BusFeed  # noqa: PLC0415 - as above
    from database.api.pool import DatabasePool  # noqa: PLC0415 - as above

    prefect = os.environ.get("PREFECT_API_URL")
    bus = settings.bus_url.get_secret_value() if settings.bus_url else None
    cache, counts = _shared(bus)
    return Services(
        database=DatabasePool(url),
        lake_dir=lake_dir,
        keys_needed=needs_keys,
        feed=BusFeed(bus) if bus else None,
        runs=PrefectRuns(prefect, _prefect_headers()) if prefect else None,
        sources=tuple(source.value for source in settings.sources),
        requests_per_minute=options.requests_per_minute,
        hosts=options.hosts,
        cache=cache,
        window=counts,
    )


def _shared(bus: str | None) -> tuple[Cache, RateWindow]:
    """Kept answers and counts: in Redis where the bus is one, so that processes share them."""
    from api.cache import ProcessCache, RedisCache  # noqa: PLC0415 - an extra brings what it needs
    from api.limits import ProcessWindow, RedisWindow  # noqa: PLC0415 - as above

    if bus is None or not bus.startswith(("redis://", "rediss://", "unix://")):
        return ProcessCache(), ProcessWindow()
    from redis import Redis  # noqa: PLC0415 - an extra brings it

    client = Redis.from_url(bus, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS)
    return RedisCache(client), RedisWindow(client)


def _prefect_ui() -> str | None:
    """Where people look at flow runs."""
    api_url = os.environ.get("PREFECT_API_URL")
    return os.environ.get("PREFECT_UI_URL") or (api_url and api_url.removesuffix("/api"))


def _prefect_headers() -> dict[str, str]:
    """What the Prefect server wants to know who asks."""
    if key := os.environ.get("PREFECT_API_KEY"):
        return {"Authorization": f"Bearer {key}"}
    if login := os.environ.get("PREFECT_API_AUTH_STRING"):
        import base64  # noqa: PLC0415 - for few

        return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}
    return {}


def _instructions(host: str, listening: socket.socket, *, loopback: bool, keys: bool) -> str:
    port = listening.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    base = f"http://{shown}:{port}"
    lines = [
        f"Desk         {base}/",
        f"API          {base}/v1",
        f"Description  {base}/v1/openapi.json",
    ]
    ask = f"curl {base}/v1/health"
    lines += ["", f"  {ask}", ""]
    if keys:
        lines.append(
            "Each request needs a key: Authorization: Bearer KEY (trading keys create NAME)."
        )
    if not loopback:
        lines.append(
            "Keys travel as they are: put TLS in front, e.g. a reverse proxy that ends it and "
            f"passes on to port {port}, and let no other machine reach this port."
        )
    return "\n".join([*lines, "Ctrl-C stops it."])
