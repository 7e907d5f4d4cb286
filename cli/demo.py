"""`trading demo`: the whole pipeline once, from nothing to a portfolio."""

from __future__ import annotations

import contextlib
import os
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.connection import Connection, leases_of, prefect_connection
from cli.credentials import use_credentials_block
from cli.errors import USAGE, CommandError
from cli.installation import installation
from cli.progress import Display, progress_display
from cli.s3_server import S3Server, s3_server
from cli.sample_data import SAMPLE_CONTRACTS, ensure_market_data
from cli.summary import Report, as_json, as_text, failure
from cli.up import STARTING, Child, wait_for_end
from cli.worker import LocalWorker, process_worker
from trading.s3 import s3_store
from trading.storage import open_directory

if TYPE_CHECKING:
    from cli.orchestration import Orchestration
    from flows.settings import Settings

BUCKET = "trading-demo"
"""Where `--s3` keeps market data and results, on the server it starts."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
        s3: Whether input and results are to be on an S3 server that the command starts.
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
    s3: bool


def run_demo(options: DemoOptions) -> int:
    """Make what is missing, run the pipeline, print what came of it; returns the exit code.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    started = time.monotonic()
    selection = selected(options.contracts)
    with contextlib.ExitStack() as running:
        with progress_display() as display:
            display.phase(STARTING)
            connection = running.enter_context(prefect_connection(options.server_dir, options.port))
            _quiet_prefect()
            if options.s3:
                options = on_s3(
                    options, running.enter_context(s3_server(options.server_dir / "s3"))
                )
            settings = installation()
            use_credentials_block(settings, connection)
            parameters = orchestrator_parameters(options, settings) | selection
            _prepare(parameters, display)
            orchestration = _orchestrate(parameters, settings, options, connection, display)
        report = _report(orchestration, parameters, connection, time.monotonic() - started)
        typer.echo(as_json(report) if options.json else as_text(report))
        if reason := failure(report):
            typer.echo(f"\n{reason}", err=True)
        _point_to_the_ui(connection, serve=options.serve)
        if options.serve and connection.local is not None:
            # With a worker, for what somebody retries in the UI.
            log = worker_log(options)
            worker = running.enter_context(process_worker(settings.work_pool, log))
            children: dict[Path, Child] = {connection.local.log: connection.local.process}
            with contextlib.suppress(KeyboardInterrupt):
                wait_for_end(children | {log: worker})
    return report.exit_code


def selected(contracts: str | None) -> dict[str, Any]:
    """The orchestrator's parameter that selects contracts, if any.

    Raises:
        CommandError: It is neither a positive number nor a list of names.
    """
    if contracts is None:
        return {}
    names = [name.strip() for name in contracts.split(",")]
    number = contracts.strip().lstrip("+-").isdecimal()
    if not all(names) or (number and int(contracts) < 1):
        raise CommandError(
            f"contracts={contracts!r} is neither a number from 1 nor names; pass e.g. "
            "--contracts 10 or --contracts AAPL,MSFT.",
            USAGE,
        )
    return {"num_contracts": int(contracts)} if number else {"contracts": names}


def orchestrator_parameters(options: DemoOptions, settings: Settings) -> dict[str, Any]:
    """The orchestrator's parameters for these options, but for the selection of contracts.

    Folders are made absolute: jobs run in other working directories.
    """
    return {
        "job_per": options.job_per or settings.job_per.value,
        "grain": options.grain,
        "reprocess": options.reprocess,
        "input_dir": _absolute(options.input_dir or settings.input_dir, "input_dir"),
        "output_dir": _absolute(options.output_dir or settings.output_dir, "output_dir"),
    }


def on_s3(options: DemoOptions, server: S3Server) -> DemoOptions:
    """The options with directories on the server, which this process and its children now use."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]  # a session token or a profile of another store's
    os.environ.update(server.client_settings())
    os.environ.pop("TRADING_AWS_CREDENTIALS_BLOCK", None)
    s3_store().make_bucket(BUCKET)
    return replace(
        options,
        input_dir=options.input_dir or f"s3://{BUCKET}/input",
        output_dir=options.output_dir or f"s3://{BUCKET}/output",
    )


def _absolute(url: str, parameter: str) -> str:
    directory = open_directory(url, parameter)
    return directory.path if directory.is_local else url


def _quiet_prefect() -> None:
    """Keep Prefect's log off the terminal: flow runs' logs are in the UI, progress is here."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def _prepare(parameters: dict[str, Any], display: Display) -> None:
    contracts = max(SAMPLE_CONTRACTS, parameters.get("num_contracts", SAMPLE_CONTRACTS))
    if ensure_market_data(parameters["input_dir"], contracts):
        display.phase(f"Made sample data in {parameters['input_dir']}")


def _orchestrate(
    parameters: dict[str, Any],
    settings: Settings,
    options: DemoOptions,
    connection: Connection,
    display: Display,
) -> Orchestration:
    """Run the pipeline; everything that takes time is loaded while the server starts."""
    from cli.orchestration import register, run_orchestration  # noqa: PLC0415 - loads Prefect
    from cli.recovery import recover  # noqa: PLC0415 - as above

    connection.wait_until_ready()
    display.phase(f"Running the pipeline (job_per={parameters['job_per']})")
    worker: AbstractContextManager[LocalWorker | None] = contextlib.nullcontext()
    if parameters["job_per"] != "run":
        worker = process_worker(settings.work_pool, worker_log(options))
    register(settings.work_pool, connection.partition_limit)
    leases = leases_of(connection, options.server_dir)
    recover(leases)
    return run_orchestration(parameters, worker=worker, display=display, leases=leases)


def worker_log(options: DemoOptions) -> Path:
    """Where the output of the command's worker goes."""
    return options.server_dir / "logs" / "worker.log"


def _report(
    orchestration: Orchestration,
    parameters: dict[str, Any],
    connection: Connection,
    wall_seconds: float,
) -> Report:
    return Report(
        status=orchestration.status,
        wall_seconds=wall_seconds,
        output_dir=parameters["output_dir"],
        prefect_api_url=connection.api_url,
        orchestrator_flow_run_id=str(orchestration.flow_run_id),
        partitions=orchestration.partitions,
        flow_runs=orchestration.flow_runs,
        portfolio=orchestration.portfolio,
        message=orchestration.message,
    )


def _point_to_the_ui(connection: Connection, *, serve: bool) -> None:
    if connection.local is None:
        typer.echo(f"\nPrefect UI: {connection.ui_url}", err=True)
    elif serve:
        typer.echo(f"\nPrefect UI, until Ctrl-C: {connection.ui_url}", err=True)
    else:
        typer.echo("\nTo see every flow run in the Prefect UI: uv run trading up", err=True)
