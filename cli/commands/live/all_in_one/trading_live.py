"""`trading live`: servers and processes of the live side together, in one terminal."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.live import Live

from cli.bus import bus_url, check_bus, opened_bus
from cli.commands.live.all_in_one.processes import (
    Places,
    account_of,
    first_processes,
    later_processes,
)
from cli.commands.live.all_in_one.supervisor import Supervisor, supervised
from cli.commands.live.options import LiveOptions
from cli.crashing_servers import crashing_servers
from cli.database import database_url
from cli.settings import settings_in_force
from cli.stop_signals import StopSignals
from servers.connection import named_api_url
from servers.errors import USAGE, CommandError
from servers.prefect import DEFAULT_PORT, api_url, running_api_url
from servers.shared.server import running_socket_folder
from servers.start_up import HOST, answers, bound_port

if TYPE_CHECKING:
    from cli.commands.live.all_in_one.crash_reports import CrashReports
    from cli.commands.live.all_in_one.observation import Observation
    from cli.commands.live.all_in_one.worth import Worth
    from trading.operations.crashes import Crashes

LOOK_SECONDS = 0.25
LOOK_PATIENCE_SECONDS = 5.0
"""How long a look waits for a bus that is away: the processes have to be looked after."""

LATER_SECONDS = 30.0
"""After so long what nobody waits for starts, also when no price moves."""

_NOT_HANDED_ON = ("TRADING_METRICS_PORT", "TRADING_METRICS_HOST")
"""Two processes cannot answer on one port."""


@dataclass(frozen=True, slots=True)
class Running:
    """What one `trading live` looks at.

    Attributes:
        options: What was asked.
        places: Where the processes are found.
        supervisor: The processes.
        seen: What goes over the bus.
        worth: What the account is worth.
        reports: What crashes again and again.
        servers: The servers of this machine that it uses, by the names of their folders.
    """

    options: LiveOptions
    places: Places
    supervisor: Supervisor
    seen: Observation
    worth: Worth
    reports: CrashReports
    servers: Sequence[str]

    @property
    def desk(self) -> str:
        """The desk's address."""
        return f"http://{HOST}:{self.places.desk_port}/"

    @property
    def down(self) -> list[tuple[Crashes, str]]:
        """What cannot be kept running, each with the sentence that people are told."""
        folders = [self.options.server_dir / name for name in self.servers]
        return self.supervisor.down + crashing_servers(folders)

    def summary(self) -> dict[str, Any]:
        """The counts as JSON can hold them."""
        counts = self.seen.summary()
        equity = self.worth.equity
        counts["equity"] = None if equity is None else float(equity)
        return counts | {"errors": self.supervisor.errors}


def run_live(options: LiveOptions, signals: StopSignals) -> int:
    """Run until Ctrl-C or until the minutes are over; returns the exit code.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    desk_port = _free_port(options.port)
    stopped = False
    with _running(options, desk_port) as running:
        try:
            _watch(running)
        except KeyboardInterrupt:
            stopped = True
        running.seen.look()
        running.worth.look(now=True)
        told = json.dumps(running.summary()) if options.json else _told(running)
        if not options.json:
            typer.echo("Stopping.", err=True)
    typer.echo(told)
    return signals.exit_code if stopped else 0


@contextlib.contextmanager
def _running(asked: LiveOptions, desk_port: int) -> Iterator[Running]:
    """Servers and first processes."""
    with contextlib.ExitStack() as opened:
        settings = settings_in_force()
        check_bus(settings)
        url = opened.enter_context(database_url(settings, asked.server_dir))
        place = opened.enter_context(bus_url(settings, asked.server_dir))
        bus = opened.enter_context(opened_bus(settings, place, LOOK_PATIENCE_SECONDS))
        from cli.commands.live.all_in_one.crash_reports import CrashReports  # noqa: PLC0415 - of an extra
        from cli.commands.live.all_in_one.observation import Observation  # noqa: PLC0415 - as above
        from cli.commands.live.all_in_one.resolution import (  # noqa: PLC0415 - as above
            check_account_is_free,
            resolved,
        )
        from cli.commands.live.all_in_one.worth import Worth  # noqa: PLC0415 - as above
        from database.connection import open_database  # noqa: PLC0415 - as above
        from live.signals import live_strategies  # noqa: PLC0415 - as above

        # What a process would refuse is refused before one is started.
        live_strategies(asked.signals.strategies, asked.signals.intervals)
        with open_database(url) as database:
            check_account_is_free(database, asked.stream.source)
            options, symbols = resolved(asked, settings, database, bus)
        places = _places(options, symbols, desk_port)
        seen = Observation(bus, round(settings.lateness_seconds * 1e9))
        worth = opened.enter_context(contextlib.closing(Worth(url, account_of(options))))
        reports = opened.enter_context(contextlib.closing(CrashReports(url)))
        logs = options.server_dir / "logs" / "live"
        typer.echo(f"Desk  http://{HOST}:{desk_port}/", err=True)
        typer.echo(f"Logs  {logs}    Ctrl-C ends all.", err=True)
        environment = _environment(url, place, str(logs))
        supervisor = opened.enter_context(
            supervised(first_processes(options, places), logs, environment)
        )
        named = {"postgres": settings.database_url, "valkey": settings.bus_url}
        own = [name for name, address in named.items() if address is None]
        yield Running(options, places, supervisor, seen, worth, reports, own)


def _environment(database: str, bus: str, logs: str) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in _NOT_HANDED_ON}
    return kept | {
        "TRADING_DATABASE_URL": database, "TRADING_BUS_URL": bus, "TRADING_LOG_DIR": logs,
    }  # fmt: skip


def _places(options: LiveOptions, symbols: list[str], desk_port: int) -> Places:
    if not options.prefect:
        return Places(symbols=symbols, desk_port=desk_port)
    there = named_api_url() or running_api_url(options.server_dir)
    if there is not None:
        return Places(symbols=symbols, desk_port=desk_port, prefect_url=there)
    port = _free_port(DEFAULT_PORT, or_another=True)
    return Places(
        symbols=symbols, desk_port=desk_port, prefect_url=api_url(port), prefect_port=port
    )


def _free_port(port: int, *, or_another: bool = False) -> int:
    try:
        return bound_port(port)
    except (OSError, OverflowError) as error:
        if or_another:
            return bound_port(0)
        said = getattr(error, "strerror", None) or str(error)
        raise CommandError(
            f"--port {port} cannot be listened on at {HOST} ({said}); pass another one for the "
            "desk, or --port 0 for a free one.",
            USAGE,
        ) from None


def _watch(running: Running) -> None:
    from cli.commands.live.all_in_one.table import live_table  # noqa: PLC0415 - --help stays quick

    minutes = running.options.minutes
    began = time.monotonic()
    ends_at = None if minutes is None else began + 60 * minutes
    shown = contextlib.nullcontext() if running.options.json else _shown_table()
    is_whole = False
    with shown as live:
        while ends_at is None or time.monotonic() < ends_at:
            _check_servers(running)
            running.supervisor.look()
            down = running.down
            running.reports.look(down)
            running.seen.look()
            running.worth.look()
            if not is_whole and (_is_moving(running) or time.monotonic() > began + LATER_SECONDS):
                is_whole = True
                running.supervisor.start(later_processes(running.options, running.places))
            if live is not None:
                told = [sentence for _, sentence in down]
                live.update(live_table(running.seen, running.worth, running.supervisor, told))
            time.sleep(LOOK_SECONDS)


@contextlib.contextmanager
def _shown_table() -> Iterator[Live]:
    console = Console(stderr=True)
    try:
        with Live(console=console) as live:
            yield live
    finally:
        if not console.is_terminal:  # rich ends the last table in a file without a line's end
            console.line()


def _check_servers(running: Running) -> None:
    """Look whether the servers of this machine are there, or will be again.

    Raises:
        CommandError: One is dead, and so is what would start it again.
    """
    for name in running.servers:
        if running_socket_folder(running.options.server_dir / name) is None:
            raise CommandError(
                f"The local server {name} was killed, and its keeper with it; run the same command "
                "again: it goes on where it was."
            )


def _is_moving(running: Running) -> bool:
    """Whether prices move and the desk shows them."""
    return running.seen.counts.bars > 0 and answers(f"{running.desk}v1/health", 1.0)


def _told(running: Running) -> str:
    counts, worth = running.summary(), running.worth
    lines = [
        f"{counts['ticks']:,} ticks, {counts['bars']:,} bars, {counts['signals']:,} signals",
        f"{counts['orders']:,} orders, {counts['fills']:,} fills, {counts['alerts']:,} alerts",
        "No equity yet"
        if worth.equity is None or worth.profit is None
        else f"Equity {worth.equity:,.2f}, P&L {worth.profit:+,.2f} ({worth.account})",
        *counts["errors"],
    ]
    return "\n".join(lines)
