"""The event bus that a command works with: the one that is set, else one of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cli.extras import needs_extra
from cli.options import DEFAULT_FOLDER
from servers.valkey import local_valkey

if TYPE_CHECKING:
    from flows.boundary.settings import Settings
    from live.bus.port import Bus


@contextlib.contextmanager
def bus_url(settings: Settings, server_dir: Path = DEFAULT_FOLDER) -> Iterator[str]:
    """The URL of the bus.

    Without `TRADING_BUS_URL` it is a server of this machine, which other commands share, and which
    ends with the last of them.

    Args:
        settings: The settings in force.
        server_dir: Where servers of this machine keep their data; this one in `valkey` below it.

    Raises:
        CommandError: The local server is not installed or does not start.
    """
    if settings.bus_url is not None:
        yield settings.bus_url.get_secret_value()
        return
    with local_valkey(server_dir / "valkey") as server:
        yield server.url


def check_bus(settings: Settings) -> None:
    """Refuse a bus that cannot be one, before anything is started.

    Raises:
        CommandError: What a bus needs is not installed.
        ParameterError: `TRADING_BUS_URL` cannot be used.
        BusError: Kafka's client is not installed.
    """
    if settings.bus_url is None:
        return
    with needs_extra("live"):
        from live.bus.opening import check_bus_url  # noqa: PLC0415 - of an extra
    check_bus_url(settings.bus_url.get_secret_value())


@contextlib.contextmanager
def opened_bus(
    settings: Settings, url: str, patience_seconds: float | None = None
) -> Iterator[Bus]:
    """The bus at a URL.

    Args:
        settings: The settings in force.
        url: The bus.
        patience_seconds: How long a call waits for a bus that is away; None for as long as usual.

    Raises:
        CommandError: What a bus needs is not installed.
        ParameterError: The URL cannot be used.
        BusError: It cannot be reached.
    """
    with needs_extra("live"):
        from live.bus.opening import open_bus  # noqa: PLC0415 - an extra brings what it needs
    from live.bus.reconnection import PATIENCE_SECONDS  # noqa: PLC0415 - as above
    from live.bus.retention import Retention  # noqa: PLC0415 - as above

    retention = Retention(ticks_hours=settings.ticks_hours)
    with open_bus(
        url,
        retention,
        lease_seconds=settings.bus_lease_seconds,
        patience_seconds=PATIENCE_SECONDS if patience_seconds is None else patience_seconds,
    ) as bus:
        yield bus
