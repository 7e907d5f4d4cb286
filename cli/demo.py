"""`trading demo`: the whole pipeline once, from nothing to a portfolio."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.connection import Connection, prefect_connection
from cli.errors import USAGE, CommandError
from cli.progress import Display, progress_display
from cli.sample_data import ensure_market_data
from cli.summary import Report, as_json, as_text
from cli.up import wait_for_end
from cli.worker import process_worker
from flows.settings import Settings
from trading.storage import open_directory

if TYPE_CHECKING:
    from cli.orchestration import Orchestration

SAMPLE_CONTRACTS = 10


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the user asked for; None leaves it to the settings or the deployment.

    Attributes:
        contracts: How many contracts, or which, separated by commas.
        job_per: How much runs in a job of its own: `run`, `symbol` or `partition`.
        grain: What one partition covers.
        input_dir: Where the market data are.
        output_dir: Where the results go.
        reprocess: Whether to redo what is up to date.
        port: Where to start a local server.
        server_dir: Where its data and the logs of what it runs are.
        json: Whether to print one JSON object instead of text.
        serve: Whether to keep the local server running until Ctrl-C.
    """

    contracts: str | None
    job_per: str | None
    grain: str
    input_dir: str | None
    output_dir: str | None
    reprocess: bool
    port: int
    server_dir: Path
    json: bool
    serve: bool


def run_demo(options: DemoOptions) -> int:
    """Make what is missing, run the pipeline, print what came of it; returns the exit code.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    started = time.monotonic()
    settings = Settings()
    parameters = orchestrator_parameters(options, settings)
    with contextlib.ExitStack() as running:
        with progress_display() as display:
            display.phase("Starting: the Prefect server needs 5 to 15 seconds")

            def meanwhile() -> None:
                _load_and_prepare(parameters, display)

            connection = running.enter_context(
                prefect_connection(options.server_dir, options.port, meanwhile)
            )
            display.phase(f"Running the pipeline, job_per={parameters['job_per']}")
            worker = _worker(options, parameters, settings)
            orchestration = _orchestrate(parameters, settings, worker, display)
        report = _report(orchestration, parameters, connection, time.monotonic() - started)
        typer.echo(as_json(report) if options.json else as_text(report))
        _point_to_the_ui(connection, serving=options.serve)
        if options.serve and connection.local is not None:
            with contextlib.suppress(KeyboardInterrupt):
                wait_for_end({connection.local.log: connection.local.process})
    return report.exit_code


def orchestrator_parameters(options: DemoOptions, settings: Settings) -> dict[str, Any]:
    """The orchestrator's parameters for these options.

    Folders are made absolute: jobs run in other working directories.

    Raises:
        CommandError: `contracts` is neither a number nor names.
    """
    return {
        "job_per": options.job_per or settings.job_per,
        "grain": options.grain,
        "reprocess": options.reprocess,
        "input_dir": _absolute(options.input_dir or settings.input_dir, "input_dir"),
        "output_dir": _absolute(options.output_dir or settings.output_dir, "output_dir"),
        **_selection(options.contracts),
    }


def _selection(contracts: str | None) -> dict[str, Any]:
    if contracts is None:
        return {}
    if contracts.lstrip("+-").isdigit():
        if int(contracts) < 1:
            raise CommandError(
                f"contracts={contracts} is not at least 1; pass a number such as 10, or names "
                "such as AAPL,MSFT.",
                USAGE,
            )
        return {"num_contracts": int(contracts)}
    return {"contracts": [name.strip() for name in contracts.split(",")]}


def _absolute(url: str, parameter: str) -> str:
    directory = open_directory(url, parameter)
    return directory.path if directory.is_local else url


def _load_and_prepare(parameters: dict[str, Any], display: Display) -> None:
    """What does not need the server: make the sample, import Prefect and the flows."""
    contracts = max(SAMPLE_CONTRACTS, parameters.get("num_contracts", SAMPLE_CONTRACTS))
    if ensure_market_data(parameters["input_dir"], contracts):
        display.phase(f"Made sample data in {parameters['input_dir']}")
    _quiet_prefect()
    importlib.import_module("cli.orchestration")


def _quiet_prefect() -> None:
    """Keep Prefect's log off the terminal: flow runs' logs are in the UI, progress is here."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def _orchestrate(
    parameters: dict[str, Any],
    settings: Settings,
    worker: AbstractContextManager[object],
    display: Display,
) -> Orchestration:
    from cli.orchestration import orchestrate  # noqa: PLC0415 - Prefect, once its server is known

    return asyncio.run(
        orchestrate(parameters, work_pool=settings.work_pool, worker=worker, display=display)
    )


def _worker(
    options: DemoOptions, parameters: dict[str, Any], settings: Settings
) -> AbstractContextManager[object]:
    """What executes the flow runs in jobs of their own, where there are any."""
    if parameters["job_per"] == "run":
        return contextlib.nullcontext()
    return process_worker(settings.work_pool, options.server_dir / "logs" / "worker.log")


def _report(
    orchestration: Orchestration,
    parameters: dict[str, Any],
    connection: Connection,
    wall_seconds: float,
) -> Report:
    state = orchestration.state
    status = "aborted" if state is None else state.name or state.type.value
    completed = state is not None and state.is_completed()
    return Report(
        status=status.lower(),
        wall_seconds=wall_seconds,
        output_dir=parameters["output_dir"],
        prefect_api_url=connection.api_url,
        orchestrator_flow_run_id=str(orchestration.flow_run.id),
        partitions=orchestration.partitions,
        flow_runs=orchestration.flow_runs,
        portfolio=orchestration.portfolio,
        message="" if completed or state is None else state.message or "",
    )


def _point_to_the_ui(connection: Connection, *, serving: bool) -> None:
    if connection.local is None or serving:
        typer.echo(f"\nPrefect UI: {connection.ui_url}", err=True)
    else:
        typer.echo(
            f"\nTo look at the flow runs: uv run trading up, then {connection.ui_url}", err=True
        )
    if serving and connection.local is not None:
        typer.echo("The server runs until Ctrl-C.", err=True)
