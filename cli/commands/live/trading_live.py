"""`trading live`: servers and processes of the live side together, in one terminal."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence

import typer
from rich.console import Console
from rich.live import Live

from cli.bus import bus_url, opened_bus
from cli.commands.live.options import LiveOptions
from cli.commands.live.processes import live_processes
from cli.commands.live.supervisor import Supervised, supervised
from cli.database import database_url
from cli.settings import installation

LOOK_SECONDS = 0.25
LOGS = "logs"


def run_live(options: LiveOptions) -> int:
    """Run until Ctrl-C, until the minutes are over or a replay has ended; returns the exit code.

    Raises:
        CommandError, TradingError, LiveError, DatabaseError: It cannot go on.
    """
    with contextlib.ExitStack() as opened:
        settings = installation()
        database = opened.enter_context(database_url(settings, options.server_dir))
        place = opened.enter_context(bus_url(settings, options.server_dir))
        bus = opened.enter_context(opened_bus(settings, place))
        from cli.commands.live.observation import Observation  # noqa: PLC0415 - of an extra

        seen = Observation(bus, round(settings.lateness_seconds * 1e9))
        environment = dict(os.environ) | {
            "TRADING_BUS_URL": place, "TRADING_DATABASE_URL": database,
        }  # fmt: skip
        logs = options.server_dir / LOGS
        typer.echo(f"Logs of the processes: {logs}/live-*.log. Ctrl-C ends all.", err=True)
        processes = opened.enter_context(supervised(live_processes(options), logs, environment))
        try:
            _watch(options, seen, processes)
        finally:
            seen.look()
            typer.echo(_told(seen.summary(), processes, as_object=options.json))
    return 0


def _watch(options: LiveOptions, seen, processes: Sequence[Supervised]) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001 - of an extra
    from cli.commands.live.table import live_table  # noqa: PLC0415 - --help stays quick

    ends_at = None if options.minutes is None else time.monotonic() + 60 * options.minutes
    console = Console(stderr=True)
    shown = contextlib.nullcontext() if options.json else Live(console=console, transient=False)
    with shown as live:
        while ends_at is None or time.monotonic() < ends_at:
            for process in processes:
                process.look()
            seen.look()
            if live is not None:
                live.update(live_table(seen, processes))
            time.sleep(LOOK_SECONDS)


def _told(summary, processes: Sequence[Supervised], *, as_object: bool) -> str:  # type: ignore[no-untyped-def] # noqa: ANN001 - JSON
    errors = [
        f"{one.process.name} was begun again {one.restarts} times, see {one.log}"
        for one in processes
        if one.restarts
    ]
    if as_object:
        return json.dumps(summary | {"equity": None, "errors": errors})
    lines = [
        f"{summary['ticks']:,} ticks, {summary['bars']:,} bars, {summary['signals']:,} signals",
        *errors,
    ]
    return "\n".join(lines)
