"""`trading redo`: exactly the partitions that are not done, each as a flow run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.commands.up import STARTING
from cli.display.progress import progress_display
from cli.pipeline.credentials import use_credentials_block
from cli.pipeline.failures import with_failures
from cli.pipeline.pipeline import Pipeline, point_to_the_ui, quiet_prefect, tell
from cli.pipeline.query import PartitionQuery, as_json, read_status, request_of
from cli.settings import installation, settings_before_a_server
from lake.dataset import PartitionStatus, SymbolStatus
from lake.keys import Partition
from lake.market.request import MarketRequest
from servers.connection import prefect_connection, say_whose_server
from servers.errors import USAGE, CommandError

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

NOT_DONE = (PartitionStatus.FAILED, PartitionStatus.MISSING, PartitionStatus.STALE)

MOST = 10_000
"""Most partitions of one command: their names are a flow run's parameter, of which the server
takes half a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedoOptions:
    """How to redo what is not done.

    Attributes:
        only: The status to redo; None redoes all that is not done.
        job_per: How much runs in a job of its own; None takes the settings'.
        dry_run: Whether to print the partitions and stop.
        port: Where to start a local server.
        server_dir: Where its data and the logs of what it runs are.
        json: Whether to print one JSON object instead of text.
    """

    only: str | None
    job_per: str | None
    dry_run: bool
    port: int
    server_dir: Path
    json: bool


def run_redo(query: PartitionQuery, options: RedoOptions) -> int:
    """Run what is not done, of the partitions asked about; returns the exit code.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    started = time.monotonic()
    early = settings_before_a_server()
    looked = None if early is None else _looked(early, query)
    with progress_display() as display:
        display.phase(STARTING)
        with prefect_connection(options.server_dir, options.port) as connection:
            quiet_prefect()
            settings = installation()
            say_whose_server(connection)
            use_credentials_block(settings, connection)
            request, statuses = looked or _looked(settings, query)
            pipeline = Pipeline(connection, settings, options.server_dir, display)
            pipeline.prepare()
            statuses = with_failures(request.output_dir.location, statuses)
            wanted = {PartitionStatus(options.only)} if options.only else set(NOT_DONE)
            due = [partition for status in statuses for partition in status.having(wanted)]
            if options.dry_run or not due:
                typer.echo(_due_json(due) if options.json else _due_text(due, options))
                return 0
            orchestration = pipeline.run(_parameters(due, request, settings, options))
        exit_code = tell(
            orchestration,
            request.output_dir.location,
            connection,
            time.monotonic() - started,
            as_object=options.json,
        )
    point_to_the_ui(connection, serve=False)
    return exit_code


def _looked(
    settings: Settings, query: PartitionQuery
) -> tuple[MarketRequest, list[SymbolStatus[Partition]]]:
    """What is asked about, and how it stands."""
    request = request_of(settings, query)
    return request, read_status(request, query)


def _parameters(
    due: Sequence[Partition], request: MarketRequest, settings: Settings, options: RedoOptions
) -> dict[str, Any]:
    """The orchestrator's parameters.

    Raises:
        CommandError: There are too many partitions for them.
    """
    if len(due) > MOST:
        raise CommandError(
            f"{len(due):,} partitions are too many to name in one run, which takes {MOST:,}; "
            "choose some with --contracts, --from and --to, or run the whole pipeline, which "
            "computes all that is missing or stale.",
            USAGE,
        )
    return {
        "partitions": [partition.relative_path for partition in due],
        "job_per": options.job_per or settings.job_per.value,
        **request.parameters(),
    }


def _due_text(due: Sequence[Partition], options: RedoOptions) -> str:
    if not due:
        return f"Nothing is {options.only or 'failed, missing or stale'}."
    return "\n".join(partition.relative_path for partition in due)


def _due_json(due: Sequence[Partition]) -> str:
    return as_json({"partitions": [partition.relative_path for partition in due]})
