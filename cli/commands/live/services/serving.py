"""One process of the live side by itself: `trading live stream`, `windows`, `signals`."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable
from datetime import date
from typing import Any

from cli.commands.live.options import SignalOptions, StreamOptions
from cli.commands.live.services.service import WAIT_SECONDS, Service, ServiceOptions, running
from cli.settings import absolute


def serve_stream(options: StreamOptions, service_options: ServiceOptions) -> None:
    """Put ticks on the bus until told to stop, or until a replay has ended.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with running("stream", service_options) as service:
        from cli.commands.live.services.tick_sources import tick_source  # noqa: PLC0415 - of an extra
        from live.stream.publishing import Publishing  # noqa: PLC0415 - of an extra

        # Alone before it looks where the last one has stopped.
        service.wait_until_alone()
        with contextlib.closing(
            tick_source(options, service.settings, service.bus, service.database)
        ) as source:
            publishing = Publishing(source, service.bus, service.database)
            _serve(
                service, lambda: publishing.step(WAIT_SECONDS), publishing.figures,
                until=lambda: source.ended,
            )  # fmt: skip


def serve_windows(service_options: ServiceOptions, *, archive: bool, lake_dir: str | None) -> None:
    """Make bars until told to stop.

    Args:
        service_options: What every process is asked.
        archive: Whether the minutes of a session go into the lake when it is over.
        lake_dir: The lake; None for the settings'.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with running("windows", service_options) as service:
        from database.live.consumers import commit_before_disk  # noqa: PLC0415 - of an extra
        from live.archive import archive_session  # noqa: PLC0415 - of an extra
        from live.windows import Windows  # noqa: PLC0415 - of an extra
        from storage.directory import open_directory  # noqa: PLC0415 - only here
        from trading.bars.folding.fold import FoldSettings  # noqa: PLC0415 - of an extra

        commit_before_disk(service.database)
        place = absolute(lake_dir or service.settings.lake_dir, "lake_dir")
        lake = open_directory(place, "lake_dir")

        def session_over(day: date) -> None:
            if archive:
                archive_session(service.database, lake, day)

        lateness = round(service.settings.lateness_seconds * 1e9)
        # Alone before it reads the state that the last one has left.
        service.wait_until_alone()
        windows = Windows(
            service.bus, service.database, FoldSettings(lateness=lateness),
            session_over=session_over,
        )  # fmt: skip
        try:
            _serve(service, lambda: windows.step(WAIT_SECONDS), windows.figures)
        finally:
            windows.save()


def serve_signals(options: SignalOptions, service_options: ServiceOptions) -> None:
    """Run strategies on live bars until told to stop.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with running("signals", service_options) as service:
        from live.signals import Signals, live_strategies  # noqa: PLC0415 - of an extra
        from live.warm_up import warm_up  # noqa: PLC0415 - as above
        from storage.directory import open_directory  # noqa: PLC0415 - only here

        strategies = live_strategies(options.strategies, options.intervals)
        lake_dir = absolute(options.lake_dir or service.settings.lake_dir, "lake_dir")
        lake = open_directory(lake_dir, "lake_dir")
        warm_up(strategies)
        service.wait_until_alone()
        signals = Signals(
            service.bus, service.database, lake, strategies, member_name(service.name)
        )
        with contextlib.closing(signals):
            _serve(service, lambda: signals.step(WAIT_SECONDS), signals.figures)


def member_name(service: str) -> str:
    """This process among those that share a group's work: the same when it is begun again.

    With a number of the process in it the bus would remember each one that there ever was.
    """
    return f"{service}-{socket.gethostname()}"


def _serve(
    service: Service,
    step: Callable[[], object],
    figures: Callable[[], Any],
    *,
    until: Callable[[], bool] = lambda: False,
) -> None:
    """Do one step after the other, with a sign of life now and then."""
    while not until():
        step()
        service.turn(figures)
