"""`trading up`: a Prefect server, a worker and the deployments, until Ctrl-C."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import typer

from cli.display.progress import progress_display
from cli.pipeline.credentials import use_credentials_block
from cli.pipeline.sample_data import SAMPLE_CONTRACTS, ensure_market_data, takes_default_input
from cli.settings import installation, job_environment
from cli.stop_signals import interrupt_held
from flows.deploy.deployments import ANALYZE_SYMBOL, INGEST_MARKET_DATA, ORCHESTRATOR
from flows.runs.commands import run_command
from lake.market.inputs import open_market_data
from servers.connection import Connection, leases_of, prefect_connection, say_whose_server
from servers.errors import USAGE, CommandError
from servers.process import log_tail
from servers.worker import process_worker
from trading.errors import TradingError

STARTING = "Starting (a Prefect server needs 5 to 15 seconds)"
_LOOK_SECONDS = 0.5


def run_up(port: int, server_dir: Path) -> None:
    """Start what `prefect deployment run` needs, and keep it until Ctrl-C.

    Args:
        port: Where to start a local server.
        server_dir: Where its data and the logs are.

    Raises:
        CommandError, TradingError: Something could not be started, or ended by itself.
    """
    log = server_dir / "logs" / "worker.log"
    with contextlib.ExitStack() as running:
        with progress_display() as display:
            display.phase(STARTING)
            connection = running.enter_context(prefect_connection(server_dir, port))
            settings = installation()
            say_whose_server(connection)
            use_credentials_block(settings, connection)
            if takes_default_input(settings):
                ensure_market_data(settings.input_dir, SAMPLE_CONTRACTS)
            _register(settings.work_pool, connection, server_dir)
            worker = running.enter_context(
                process_worker(settings.work_pool, log, job_environment())
            )
        contracts = _contracts(settings.input_dir)
        typer.echo(instructions(connection, settings.work_pool, contracts))
        children: dict[Path, Child] = {log: worker}
        if connection.local is not None:
            children[connection.local.log] = connection.local.process
        with contextlib.suppress(KeyboardInterrupt):
            wait_for_end(children)


class Child(Protocol):
    """Something that should run for ever."""

    def poll(self) -> int | None:
        """None while it runs, then its exit code."""


def wait_for_end(children: Mapping[Path, Child]) -> None:
    """Wait until one of the children, which should run for ever, has ended.

    Args:
        children: The processes by their logs.

    Raises:
        CommandError: Always, when it returns at all.
    """
    while all(child.poll() is None for child in children.values()):
        time.sleep(_LOOK_SECONDS)
    log = next(log for log, child in children.items() if child.poll() is not None)
    raise CommandError(f"The local {log.stem} ended by itself; the end of {log}:\n{log_tail(log)}")


def _contracts(input_dir: str) -> Sequence[str]:
    """The contracts of the market data; none where there are no data that can be used."""
    try:
        return open_market_data(input_dir).contracts
    except TradingError:
        return ()


def instructions(connection: Connection, work_pool: str, contracts: Sequence[str]) -> str:
    """What runs now, where to look, and what to type in another terminal.

    Args:
        connection: The server.
        work_pool: The pool of the worker.
        contracts: Those of the market data; without any, data have to be fetched first.
    """
    lines = [
        f"Prefect UI   {connection.ui_url}",
        f"Work pool    {work_pool}, with a process worker on this machine",
        "",
        "In another terminal:",
        "",
    ]
    if connection.local is not None:
        lines.append(f"  export PREFECT_API_URL={connection.api_url}")
    if contracts:
        count = min(len(contracts), SAMPLE_CONTRACTS)
        commands = [
            run_command(ORCHESTRATOR, {"num_contracts": count}),
            run_command(ANALYZE_SYMBOL, {"contract": contracts[0]}),
        ]
    else:
        commands = [run_command(INGEST_MARKET_DATA, {})]
    lines += [
        *(f"  {command}" for command in commands),
        "",
        "Ctrl-C stops the worker" + (" and the server." if connection.local else "."),
    ]
    return "\n".join(lines)


def _register(work_pool: str, connection: Connection, server_dir: Path) -> None:
    with interrupt_held():
        from cli.pipeline.orchestration import register, type_elsewhere  # noqa: PLC0415 - loads Prefect
        from cli.pipeline.recovery import recover  # noqa: PLC0415 - as above

    connection.wait_until_ready()
    if pool_type := type_elsewhere(work_pool):
        raise CommandError(
            f"TRADING_WORK_POOL={work_pool!r} is a work pool of type {pool_type} on this server, "
            "for which no process on this machine can work; name another pool, or use "
            "trading demo, whose jobs go to the worker there.",
            USAGE,
        )
    register(work_pool, connection.partition_limit)
    recover(leases_of(connection, server_dir))
