"""`trading lake build` and `trading lake rebuild`: silver and gold, whatever is not up to date."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.commands.up import STARTING
from cli.display.progress import progress_display
from cli.pipeline.credentials import use_credentials_block
from cli.pipeline.pipeline import Pipeline, point_to_the_ui, quiet_prefect, worker_for
from cli.settings import absolute, installation
from lake.dataset import PartitionStatus, symbol_status
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from servers.connection import leases_of, prefect_connection, say_whose_server
from servers.errors import FAILED, USAGE, CommandError
from trading.bars.intervals import Interval
from trading.errors import ParameterError, shown

if TYPE_CHECKING:
    from cli.pipeline.flow_in_process import EndedFlow
    from flows.boundary.settings import Settings

DUE = (PartitionStatus.MISSING, PartitionStatus.STALE)

DEFAULT_STRATEGY = "vegas_channel"
DEFAULT_INTERVALS = "5m,1d"

MOST = 10_000
"""Most partitions that one command names: they are a flow run's parameter, of which the server
takes half a megabyte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of the lake the user asks for; None leaves it to the settings or takes all.

    Attributes:
        layer: `silver` or `gold`; None for both.
        symbols: Names, separated by commas.
        intervals: Intervals of gold, separated by commas.
        strategies: Strategies of gold, separated by commas.
        parameters: The parameters of the one strategy, as JSON.
        sources: Sources of bronze, separated by commas.
        first: First New York date.
        last: Last one, included.
        lake_dir: The lake.
    """

    layer: str | None = None
    symbols: str | None = None
    intervals: str = DEFAULT_INTERVALS
    strategies: str = DEFAULT_STRATEGY
    parameters: str | None = None
    sources: str | None = None
    first: str | None = None
    last: str | None = None
    lake_dir: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildOptions:
    """How to run it.

    Attributes:
        job_per: How much runs in a job of its own; None takes the settings'.
        reprocess: Whether to redo what is up to date.
        port: Where to start a local server.
        server_dir: Where its data and the logs of what it runs are.
        json: Whether to print one JSON object instead of text.
    """

    job_per: str | None
    reprocess: bool
    port: int
    server_dir: Path
    json: bool


def run_build(
    selection: Selection, options: BuildOptions, only: set[PartitionStatus] | None = None
) -> int:
    """Run the layers and print what came of it; returns the exit code.

    Args:
        selection: What to build.
        options: How.
        only: Build exactly what has one of these statuses now; None for all that is not up to date.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    started = time.monotonic()
    medallion_parameters(selection, options, "", None)  # refuses what is no value at all
    with contextlib.ExitStack() as running:
        with progress_display() as display:
            display.phase(STARTING)
            connection = running.enter_context(prefect_connection(options.server_dir, options.port))
            quiet_prefect()
            # Loads Prefect, which must know its server by then.
            settings = installation()
            say_whose_server(connection)
            use_credentials_block(settings, connection)
            lake_dir = lake_of(selection, settings)
            due = None if only is None else due_files(selection, lake_dir, only)
            if due is not None and not _named(due):
                typer.echo(_due_text(due, only, as_object=options.json))
                return 0
            asked = medallion_parameters(selection, options, lake_dir, due)
            asked["job_per"] = options.job_per or settings.job_per.value
            pipeline = Pipeline(connection, settings, options.server_dir, display)
            pipeline.prepare()
            from cli.pipeline.flow_in_process import ProgressWatch, run_flow  # noqa: PLC0415 - loads Prefect
            from flows.bars.medallion import medallion  # noqa: PLC0415 - as above
            from flows.deploy.deployments import MEDALLION  # noqa: PLC0415 - as above

            display.phase(f"Building {' and '.join(asked['layers'])}")
            ended = run_flow(
                MEDALLION,
                medallion,
                asked,
                worker=worker_for(asked["job_per"], settings.work_pool, pipeline.worker_log),
                watch=ProgressWatch(display),
                leases=leases_of(connection, options.server_dir),
            )
        typer.echo(_told(ended, lake_dir, time.monotonic() - started, as_object=options.json))
        if ended.message:
            typer.echo(f"\n{ended.message}", err=True)
        point_to_the_ui(connection, serve=False)
    return 0 if ended.status == "completed" else FAILED


def run_redo(
    selection: Selection, options: BuildOptions, only: str | None, *, dry_run: bool
) -> int:
    """Run what is missing or stale, of what was asked for; returns the exit code.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    wanted = {PartitionStatus(only)} if only else set(DUE)
    if not dry_run:
        return run_build(selection, options, wanted)
    due = due_files(selection, lake_of(selection, installation()), wanted)
    typer.echo(_due_text(due, wanted, as_object=options.json))
    return 0


def _named(due: Sequence[str]) -> Sequence[str]:
    """The files, few enough to be the parameter of a run.

    Raises:
        CommandError: They are too many.
    """
    if len(due) > MOST:
        raise CommandError(
            f"{len(due):,} partitions are too many to name in one run, which takes {MOST:,}; "
            "choose some with --symbols, --from and --to, or run trading lake build, which makes "
            "all that is not up to date.",
            USAGE,
        )
    return due


def _due_text(due: Sequence[str], wanted: set[PartitionStatus] | None, *, as_object: bool) -> str:
    if as_object:
        return json.dumps({"partitions": list(due)})
    names = (status.value for status in DUE if status in (wanted or ()))
    return "\n".join(due) or f"Nothing is {' or '.join(names)}."


def due_files(selection: Selection, lake_dir: str, wanted: set[PartitionStatus]) -> list[str]:
    """The files of the partitions that have one of the statuses, layer by layer.

    Raises:
        ParameterError, DataError, StorageError: The lake cannot be looked at.
    """
    found: list[str] = []
    now = datetime.now(UTC)
    symbols, first, last = _symbols(selection), *_dates(selection)
    if selection.layer != "gold":
        silver = SilverRequest(
            lake_dir=lake_dir, symbols=symbols, sources=tuple(names(selection.sources)),
            first=first, last=last, as_of=now,
        )  # fmt: skip
        for dataset in (SilverDataset(), SilverDaysDataset()):
            for symbol in dataset.symbols(silver):
                status = symbol_status(dataset, silver, symbol)
                found += [key.relative_path for key in status.having(wanted)]
    if selection.layer == "silver":
        return found
    for strategy, parameters in strategies_of(selection).items():
        gold = GoldRequest(
            lake_dir=lake_dir, strategy=strategy, parameters=parameters,
            intervals=_intervals(selection), symbols=symbols, first=first, last=last, as_of=now,
        )  # fmt: skip
        signals = GoldDataset()
        for symbol in signals.symbols(gold):
            of_gold = symbol_status(signals, gold, symbol)
            found += [key.relative_path for key in of_gold.having(wanted)]
    return found


def medallion_parameters(
    selection: Selection,
    options: BuildOptions,
    lake_dir: str,
    partitions: Sequence[str] | None,
) -> dict[str, Any]:
    """The parameters of the flow `medallion`.

    Raises:
        CommandError, ParameterError: An option has a value that cannot be used.
    """
    strategies = strategies_of(selection)
    first, last = _dates(selection)
    return {
        "symbols": list(_symbols(selection)) or None,
        "layers": [selection.layer] if selection.layer else ["silver", "gold"],
        "strategies": list(strategies),
        "strategy_parameters": {name: dict(given) for name, given in strategies.items() if given},
        "intervals": [interval.value for interval in _intervals(selection)],
        "first": first and first.isoformat(),
        "last": last and last.isoformat(),
        "sources": names(selection.sources) or None,
        "reprocess": options.reprocess,
        "partitions": None if partitions is None else list(partitions),
        "lake_dir": lake_dir,
    }


def lake_of(selection: Selection, settings: Settings) -> str:
    """The lake asked for, or the installation's, absolute."""
    return absolute(selection.lake_dir or settings.lake_dir, "lake_dir")


def strategies_of(selection: Selection) -> dict[str, Mapping[str, Any]]:
    """The strategies with their parameters.

    Raises:
        CommandError: The parameters are no JSON object, or there are several strategies.
    """
    chosen = names(selection.strategies)
    if selection.parameters is None:
        return {name: {} for name in chosen}
    try:
        given = json.loads(selection.parameters)
    except ValueError:
        given = None
    if not isinstance(given, dict) or len(chosen) != 1:
        raise CommandError(
            f"parameters={shown(selection.parameters)} is not a JSON object for one strategy; pass "
            """e.g. --strategy vegas_channel --parameters '{"lost_window": 20}'.""",
            USAGE,
        )
    return {chosen[0]: given}


def names(text: str | None) -> list[str]:
    """`AAPL,MSFT` as a list.

    Raises:
        CommandError: A name is empty.
    """
    found = [] if text is None else [name.strip() for name in text.split(",")]
    if not all(found):
        raise CommandError(
            f"{shown(text)} is not a list of names; separate them by single commas, e.g. "
            "AAPL,MSFT.",
            USAGE,
        )
    return found


def _symbols(selection: Selection) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names(selection.symbols)))


def _intervals(selection: Selection) -> tuple[Interval, ...]:
    try:
        return tuple(Interval(name) for name in dict.fromkeys(names(selection.intervals)))
    except ValueError:
        raise ParameterError(
            "interval", selection.intervals, "one or more of " + ", ".join(Interval),
            "separate several by commas, e.g. 5m,1d",
        ) from None  # fmt: skip


def _dates(selection: Selection) -> tuple[date | None, date | None]:
    found = []
    for name, text in (("from", selection.first), ("to", selection.last)):
        try:
            found.append(None if text is None else date.fromisoformat(text))
        except ValueError:
            raise ParameterError(name, text, "a date", "write it like 2024-01-02") from None
    return found[0], found[1]


def _told(ended: EndedFlow, lake_dir: str, seconds: float, *, as_object: bool) -> str:
    """What came of a run, as text or as one JSON object."""
    layers = getattr(ended.value, "layers", ())
    totals: dict[str, dict[str, int]] = {}
    for one in layers:
        counts = totals.setdefault(
            one.layer,
            {"symbols": 0, "not_completed": 0, "computed": 0, "up_to_date": 0, "failed": 0},
        )
        counts["symbols"] += 1
        counts["not_completed"] += one.outcome != "completed"
        if one.counts is not None:
            counts["computed"] += one.counts.completed
            counts["up_to_date"] += one.counts.skipped
            counts["failed"] += one.counts.failed
    if as_object:
        return json.dumps(
            {
                "status": ended.status,
                "lake_dir": lake_dir,
                "flow_run_id": str(ended.flow_run_id),
                "wall_seconds": round(seconds, 3),
                "layers": totals,
                "message": ended.message,
            }
        )
    lines = [f"Lake     {lake_dir}"]
    lines += [
        f"{layer}: {counts['symbols']} symbols, {counts['computed']:,} partitions computed, "
        f"{counts['up_to_date']:,} up to date, {counts['failed']:,} failed"
        for layer, counts in totals.items()
    ]
    return "\n".join([*lines, f"{ended.status.capitalize()} in {seconds:.1f} s"])
