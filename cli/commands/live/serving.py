"""One process of the live side by itself: `trading live stream`, `windows`, `signals`."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.bus import bus_url, opened_bus
from cli.commands.live.options import SignalOptions, StreamOptions
from cli.database import database_url
from cli.settings import absolute, settings_in_force
from servers.errors import USAGE, CommandError

if TYPE_CHECKING:
    from database.connection import Database
    from flows.boundary.settings import Settings
    from live.bus.port import Bus

WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every process of the live side works with.

    Attributes:
        settings: The settings in force.
        database: The database.
        bus: The bus.
    """

    settings: Settings
    database: Database
    bus: Bus


def serve_stream(options: StreamOptions, server_dir: Path) -> None:
    """Put ticks on the bus until told to stop, or until a replay has ended.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with _surroundings(server_dir) as around:
        from cli.commands.live.tick_sources import tick_source  # noqa: PLC0415 - of an extra
        from live.stream.publishing import Publishing  # noqa: PLC0415 - of an extra

        with contextlib.closing(
            tick_source(options, around.settings, around.bus, around.database)
        ) as source:
            publishing = Publishing(source, around.bus, around.database)
            _serve(
                around, "stream", lambda: publishing.step(WAIT_SECONDS), publishing.figures,
                until=lambda: source.ended,
            )  # fmt: skip


def serve_windows(server_dir: Path, *, archive: bool, lake_dir: str | None) -> None:
    """Make bars until told to stop.

    Args:
        server_dir: Where servers of this machine keep their data.
        archive: Whether the minutes of a session go into the lake when it is over.
        lake_dir: The lake; None for the settings'.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with _surroundings(server_dir) as around:
        from database.live.consumers import commit_before_disk  # noqa: PLC0415 - of an extra
        from live.archive import archive_session  # noqa: PLC0415 - of an extra
        from live.windows import Windows  # noqa: PLC0415 - of an extra
        from storage.directory import open_directory  # noqa: PLC0415 - only here
        from trading.bars.folding.fold import FoldSettings  # noqa: PLC0415 - of an extra

        commit_before_disk(around.database)
        place = absolute(lake_dir or around.settings.lake_dir, "lake_dir")
        lake = open_directory(place, "lake_dir")

        def session_over(day: date) -> None:
            if archive:
                archive_session(around.database, lake, day)

        lateness = round(around.settings.lateness_seconds * 1e9)
        windows = Windows(
            around.bus, around.database, FoldSettings(lateness=lateness), session_over=session_over
        )
        try:
            _serve(around, "windows", lambda: windows.step(WAIT_SECONDS), windows.figures)
        finally:
            windows.save()


def serve_signals(options: SignalOptions, server_dir: Path) -> None:
    """Run strategies on live bars until told to stop.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with _surroundings(server_dir) as around:
        from live.signals import LiveStrategy, Signals  # noqa: PLC0415 - of an extra
        from storage.directory import open_directory  # noqa: PLC0415 - only here

        strategies = [
            LiveStrategy.named(name.strip(), interval.strip())
            for name in options.strategies.split(",")
            for interval in options.intervals.split(",")
        ]
        lake_dir = absolute(options.lake_dir or around.settings.lake_dir, "lake_dir")
        lake = open_directory(lake_dir, "lake_dir")
        name = f"{socket.gethostname()}-{os.getpid()}"
        signals = Signals(around.bus, around.database, lake, strategies, name)
        with contextlib.closing(signals):
            _serve(around, "signals", lambda: signals.step(WAIT_SECONDS), signals.figures)


def _serve(
    around: Surroundings,
    service: str,
    step: Callable[[], object],
    figures: Callable[[], Any],
    *,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Do one step after the other, with a sign of life now and then."""
    from database.live.consumers import hold_alone  # noqa: PLC0415 - of an extra
    from live.heartbeat import Heart  # noqa: PLC0415 - of an extra

    heart = Heart(around.database, service)
    heart.beat({}, "starting", now=True)
    while not hold_alone(around.database, service):
        heart.beat({"waiting": "another process does this"}, "starting")
        time.sleep(WAIT_SECONDS)
    try:
        while not until():
            step()
            heart.beat(figures())
    finally:
        with contextlib.suppress(Exception):
            heart.beat(figures(), "stopped", now=True)


@contextlib.contextmanager
def _surroundings(server_dir: Path) -> Iterator[Surroundings]:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    with contextlib.ExitStack() as opened:
        settings = settings_in_force()
        database = opened.enter_context(opened_database(settings, server_dir))
        place = opened.enter_context(bus_url(settings, server_dir))
        bus = opened.enter_context(opened_bus(settings, place))
        yield Surroundings(settings, database, bus)


@contextlib.contextmanager
def opened_database(settings: Settings, server_dir: Path) -> Iterator[Database]:
    """The database; one with the schema of this program is opened without what migrations load."""
    try:
        from database.connection import open_database  # noqa: PLC0415 - of an extra
        from database.errors import SchemaError  # noqa: PLC0415 - as above
    except ModuleNotFoundError as error:
        raise CommandError(
            f"This command needs {error.name}; install the extra, e.g. with uv sync --extra live.",
            USAGE,
        ) from None
    with contextlib.ExitStack() as opened:
        if settings.database_url is not None:
            with contextlib.suppress(SchemaError):
                url = settings.database_url.get_secret_value()
                yield opened.enter_context(open_database(url))
                return
        url = opened.enter_context(database_url(settings, server_dir))
        yield opened.enter_context(open_database(url))
