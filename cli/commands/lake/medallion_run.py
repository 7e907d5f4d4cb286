"""Running the flow `medallion` for a command, and saying in counts what came of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.commands.up import STARTING, Child, wait_for_end
from cli.display.progress import progress_display
from cli.pipeline.credentials import use_credentials_block
from cli.pipeline.pipeline import Pipeline, point_to_the_ui, quiet_prefect, worker_for
from cli.settings import installation, job_environment, settings_before_a_server
from servers.connection import leases_of, prefect_connection, say_whose_server
from servers.errors import FAILED, CommandError
from servers.worker import process_worker

if TYPE_CHECKING:
    from cli.pipeline.flow_in_process import EndedFlow
    from flows.boundary.settings import Settings

COMPLETED = "completed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How to run it.

    Attributes:
        job_per: How much runs in a job of its own; None takes the settings'.
        port: Where to start a local server.
        server_dir: Where its data and the logs of what it runs are.
        json: Whether to print one JSON object instead of text.
        serve: Whether to keep the local server running until Ctrl-C.
    """

    job_per: str | None
    port: int
    server_dir: Path
    json: bool
    serve: bool = False


def run_medallion(
    phase: str,
    asked: Callable[[Settings], Mapping[str, Any]],
    tell: Callable[[EndedFlow, str, float], str],
    options: RunOptions,
) -> int:
    """Run the flow, print what came of it, and return the exit code.

    Args:
        phase: What is being done, for people who wait.
        asked: Its parameters by the installation's settings; what they ask for is refused here.
        tell: What to print, given the run, its lake and the seconds that the command has taken.
        options: How to run it.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    started = time.monotonic()
    require_extra("talib")
    early = settings_before_a_server()
    wanted = None if early is None else asked(early)
    with contextlib.ExitStack() as running:
        with progress_display() as display:
            display.phase(STARTING)
            connection = running.enter_context(prefect_connection(options.server_dir, options.port))
            quiet_prefect()
            # Loads Prefect, which must know its server by then.
            settings = installation()
            say_whose_server(connection)
            use_credentials_block(settings, connection)
            wanted = asked(settings) if wanted is None else wanted
            parameters = {"job_per": options.job_per or settings.job_per.value, **wanted}
            pipeline = Pipeline(connection, settings, options.server_dir, display)
            pipeline.prepare()
            display.phase(phase)
            ended = _run(parameters, pipeline)
        typer.echo(tell(ended, str(parameters["lake_dir"]), time.monotonic() - started))
        if ended.message:
            typer.echo(f"\n{ended.message}", err=True)
        point_to_the_ui(connection, serve=options.serve)
        if options.serve and connection.local is not None:
            log = pipeline.worker_log
            worker = running.enter_context(
                process_worker(settings.work_pool, log, job_environment())
            )
            children: dict[Path, Child] = {connection.local.log: connection.local.process}
            with contextlib.suppress(KeyboardInterrupt):
                wait_for_end(children | {log: worker})
    return 0 if ended.status == COMPLETED else FAILED


def _run(parameters: Mapping[str, Any], pipeline: Pipeline) -> EndedFlow:
    from cli.pipeline.flow_in_process import ProgressWatch, run_flow  # noqa: PLC0415 - loads Prefect
    from flows.bars.medallion import medallion  # noqa: PLC0415 - as above
    from flows.deploy.deployments import MEDALLION  # noqa: PLC0415 - as above
    from flows.runs.observing import observer  # noqa: PLC0415 - as above

    watch = ProgressWatch(pipeline.display, estimated=False)
    token = observer.set(watch.observe)
    try:
        return run_flow(
            MEDALLION,
            medallion,
            parameters,
            worker=worker_for(
                parameters["job_per"], pipeline.settings.work_pool, pipeline.worker_log
            ),
            watch=watch,
            leases=leases_of(pipeline.connection, pipeline.server_dir),
        )
    finally:
        observer.reset(token)


def require_extra(*modules: str) -> None:
    """Refuse to begin without what the lake needs beside the project's own dependencies.

    Raises:
        CommandError: A module is not installed.
    """
    for module in modules:
        if find_spec(module) is None:
            raise CommandError(
                f"{module} is not installed, which this command needs; install the extra, e.g. "
                "with uv sync --extra lake."
            )


def layers_of(ended: EndedFlow) -> dict[str, dict[str, Any]]:
    """The counts of each layer, as a JSON object has them."""
    if ended.value is None:
        return {}
    return {layer: asdict(totals) for layer, totals in ended.value.totals().items()}


def as_object(ended: EndedFlow, lake_dir: str, seconds: float) -> dict[str, Any]:
    """What came of a run, as a JSON object has it."""
    return {
        "status": ended.status,
        "lake_dir": lake_dir,
        "flow_run_id": str(ended.flow_run_id),
        "wall_seconds": round(seconds, 3),
        "layers": layers_of(ended),
        "message": ended.message,
    }


def as_lines(ended: EndedFlow, lake_dir: str, seconds: float) -> Iterator[str]:
    """What came of a run, as lines for people."""
    yield f"Lake     {lake_dir}"
    for layer, counts in layers_of(ended).items():
        yield (
            f"{layer}: {counts['symbols']} symbols, {counts['computed']:,} partitions computed, "
            f"{counts['up_to_date']:,} up to date, {counts['failed']:,} failed"
        )
    yield f"{ended.status.capitalize()} in {seconds:.1f} s"
