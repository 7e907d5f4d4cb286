"""Running the orchestrator for a command, on whichever server, and printing what came of it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.display.progress import Display
from cli.pipeline.summary import Report, as_json, as_text, failure
from cli.settings import job_environment
from cli.stop_signals import interrupt_held
from flows.runs.commands import shell_command
from servers.connection import Connection, leases_of
from servers.worker import LocalWorker, process_worker

if TYPE_CHECKING:
    from cli.pipeline.orchestration import Orchestration
    from flows.boundary.settings import Settings


def quiet_prefect() -> None:
    """Keep Prefect's log off the terminal: flow runs' logs are in the UI, progress is here."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The orchestrator on a server, executed by this process.

    Attributes:
        connection: The server.
        settings: The installation's.
        server_dir: Where the data of our own server and the logs of what it runs are.
        display: Where progress is shown.
    """

    connection: Connection
    settings: Settings
    server_dir: Path
    display: Display

    @property
    def worker_log(self) -> Path:
        """Where the output of the command's worker goes."""
        return self.server_dir / "logs" / "worker.log"

    def prepare(self) -> None:
        """Register the deployments, and end the runs that commands which died have left.

        Raises:
            CommandError: The server did not come up, or refused or failed a request.
        """
        with interrupt_held():
            from cli.pipeline.orchestration import register  # noqa: PLC0415 - loads Prefect
            from cli.pipeline.recovery import recover  # noqa: PLC0415 - as above

            _load_what_a_run_needs()
        self.connection.wait_until_ready()
        register(self.settings.work_pool, self.connection.partition_limit)
        recover(leases_of(self.connection, self.server_dir))

    def run(self, parameters: Mapping[str, Any], *, writable: str | None = None) -> Orchestration:
        """Execute one run of the orchestrator.

        Args:
            parameters: Its parameters, as its deployment takes them.
            writable: The output directory, when results are known to be written there.

        Raises:
            CommandError: The server refused or failed a request.
        """
        from cli.pipeline.orchestration import run_orchestration  # noqa: PLC0415 - loads Prefect

        self.display.phase(f"Running the pipeline (job_per={parameters['job_per']})")
        worker = worker_for(parameters["job_per"], self.settings.work_pool, self.worker_log)
        leases = leases_of(self.connection, self.server_dir)
        return run_orchestration(
            parameters, worker=worker, display=self.display, leases=leases, writable=writable
        )


def worker_for(
    job_per: str, work_pool: str, log: Path
) -> AbstractContextManager[LocalWorker | None]:
    """The worker that a run needs of this command: none where no jobs are, or others run them.

    A process worker would take the jobs of a pool for Kubernetes from its own worker.
    """
    from cli.pipeline.orchestration import type_elsewhere  # noqa: PLC0415 - loads Prefect

    if job_per == "run" or type_elsewhere(work_pool):
        return contextlib.nullcontext()
    return process_worker(work_pool, log, job_environment())


def _load_what_a_run_needs() -> None:
    """Load while a server starts what flows load when they come to it, and then wait for."""
    for module in ("exchange_calendars", "trading.bars.quality.schemas", "lake.market.report"):
        import_module(module)


def tell(
    orchestration: Orchestration,
    output_dir: str,
    connection: Connection,
    wall_seconds: float,
    *,
    as_object: bool,
) -> int:
    """Print what came of a run; returns the command's exit code.

    Args:
        orchestration: The run.
        output_dir: Where its results are.
        connection: The server that has its flow runs.
        wall_seconds: How long the command has taken.
        as_object: Whether to print one JSON object instead of text.
    """
    report = Report(
        status=orchestration.status,
        wall_seconds=wall_seconds,
        output_dir=output_dir,
        prefect_api_url=connection.api_url,
        orchestrator_flow_run_id=str(orchestration.flow_run_id),
        partitions=orchestration.partitions,
        flow_runs=orchestration.flow_runs,
        portfolio=orchestration.portfolio,
        validation=orchestration.validation,
        message=orchestration.message,
    )
    typer.echo(as_json(report) if as_object else as_text(report))
    if reason := failure(report):
        typer.echo(f"\n{reason}", err=True)
    return report.exit_code


def point_to_the_ui(connection: Connection, *, serve: bool) -> None:
    """Say where every flow run can be seen."""
    if connection.local is None:
        typer.echo(f"\nPrefect UI: {connection.ui_url}", err=True)
    elif serve:
        typer.echo(f"\nPrefect UI, until Ctrl-C: {connection.ui_url}", err=True)
    else:
        typer.echo(
            f"\nTo see every flow run in the Prefect UI: {shell_command('trading', 'up')}", err=True
        )
