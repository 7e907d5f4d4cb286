"""`trading up`: a Prefect server, a worker and the deployments, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import typer

from cli.database import database_url
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
from servers.postgres.local import local_postgres
from servers.postgres.prefect_database import VARIABLE, prefect_database_url
from servers.process import log_tail
from servers.worker import process_worker
from storage.errors import FileError
from trading.errors import TradingError

STARTING = "Starting (a Prefect server needs 5 to 15 seconds)"
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """The command's options.

    Attributes:
        port: Where to start a local server.
        server_dir: Where its data and the logs are.
        postgres: Whether the local server keeps its data in Postgres.
        schedules: Whether the deployments run by themselves.
    """

    port: int
    server_dir: Path
    postgres: bool = False
    schedules: bool = False


def run_up(options: UpOptions) -> None:
    """Start what `prefect deployment run` needs, and keep it until Ctrl-C.

    Raises:
        CommandError, TradingError: Something could not be started, or ended by itself.
    """
    server_dir = options.server_dir
    log = server_dir / "logs" / "worker.log"
    with contextlib.ExitStack() as running:
        with progress_display() as display:
            display.phase(STARTING)
            if options.postgres:
                running.enter_context(prefect_on_postgres(server_dir))
            connection = running.enter_context(prefect_connection(server_dir, options.port))
            settings = installation()
            jobs = job_environment()
            if options.schedules:
                # What runs by itself fills the database, so there has to be one.
                url = running.enter_context(database_url(settings, server_dir))
                jobs["TRADING_DATABASE_URL"] = url
            say_whose_server(connection)
            use_credentials_block(settings, connection)
            if takes_default_input(settings):
                ensure_market_data(settings.input_dir, SAMPLE_CONTRACTS)
            _register(settings.work_pool, connection, options)
            worker = running.enter_context(process_worker(settings.work_pool, log, jobs))
        contracts = _contracts(settings.input_dir)
        typer.echo(
            instructions(connection, settings.work_pool, contracts, schedules=options.schedules)
        )
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
    except (FileError, TradingError):
        return ()


@contextlib.contextmanager
def prefect_on_postgres(server_dir: Path) -> Iterator[None]:
    """Let a Prefect server that is started in the block keep its data in the local Postgres.

    Raises:
        CommandError: Another server or database is named already, or Postgres does not start.
    """
    for name in ("PREFECT_API_URL", VARIABLE):
        if os.environ.get(name):
            raise CommandError(
                f"--postgres is for a server that this command starts, and {name} is set; unset "
                "it, or leave the option out.",
                USAGE,
            )
    with local_postgres(server_dir / "postgres") as server:
        os.environ[VARIABLE] = prefect_database_url(server)
        try:
            yield
        finally:
            del os.environ[VARIABLE]


def instructions(
    connection: Connection,
    work_pool: str,
    contracts: Sequence[str],
    *,
    schedules: bool = False,
) -> str:
    """What runs now, where to look, and what to type in another terminal.

    Args:
        connection: The server.
        work_pool: The pool of the worker.
        contracts: Those of the market data; without any, data have to be fetched first.
        schedules: Whether the deployments run by themselves.
    """
    lines = [
        f"Prefect UI   {connection.ui_url}",
        f"Work pool    {work_pool}, with a process worker on this machine",
        f"Schedules    {'on' if schedules else 'off; trading up --schedules turns them on'}",
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


def _register(work_pool: str, connection: Connection, options: UpOptions) -> None:
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
    # On a server that others use too, a missing option leaves its schedules as they are.
    schedules = options.schedules if connection.local or options.schedules else None
    register(work_pool, connection.partition_limit, schedules=schedules)
    recover(leases_of(connection, options.server_dir))
