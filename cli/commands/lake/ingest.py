"""`trading lake ingest` and `trading lake redo bronze`: bronze, run in this process."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from adapters.market_data.sources import SourceName, bar_source
from cli.commands.lake.question import (
    LakeQuestion,
    check_known,
    ingest_requests,
    sources,
    stored_requests,
)
from cli.commands.up import STARTING
from cli.display.progress import Display, progress_display
from cli.pipeline.credentials import use_credentials_block
from cli.pipeline.failures import named_server
from cli.pipeline.pipeline import Pipeline, point_to_the_ui, quiet_prefect, worker_for
from cli.pipeline.query import as_json
from cli.settings import absolute, installation, settings_before_a_server
from flows.runs.commands import shell_command
from lake.bronze.contents import Series, gap_records, keys_between
from lake.bronze.request import BronzeRequest
from lake.bronze.serving import serving_sources
from servers.connection import leases_of, prefect_connection, say_whose_server
from servers.errors import FAILED
from storage.checks import check_writable
from storage.directory import open_directory

if TYPE_CHECKING:
    from adapters.market_data.bar_source import BarSource
    from cli.pipeline.flow_in_process import EndedFlow
    from flows.boundary.settings import Settings

COMPLETED = "completed"
NO_GAP = "There is no open gap."
NOTHING = "There is nothing to do."
NO_PARTITION = "There is no such partition."
SHOWN_WARNINGS = 8
"""Warnings that are printed for people; the JSON object has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """How to run it.

    Attributes:
        job_per: How much runs in a job of its own; None takes the settings'.
        reprocess: Whether partitions that are up to date are fetched as well.
        port: Where to start a local server.
        server_dir: Where its data and the logs of what it runs are.
        json: Whether to print one JSON object instead of text.
    """

    job_per: str | None
    reprocess: bool
    port: int
    server_dir: Path
    json: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """One run of bronze.

    Attributes:
        request: What of the first source.
        names: The sources in order.
    """

    request: BronzeRequest
    names: tuple[SourceName, ...]

    def parameters(self, job_per: str, *, reprocess: bool) -> dict[str, Any]:
        """The flow's, as its deployment takes them."""
        request = self.request
        told = {
            "symbols": list(request.symbols),
            "start": request.first.isoformat(),
            "end": request.last.isoformat(),
            "interval": request.interval.value,
            "sources": [name.value for name in self.names],
            "grain": request.grain.value,
            "job_per": job_per,
            "reprocess": reprocess,
            "lake_dir": request.lake_dir,
            "source_dir": request.source_dir,
            "timezone": request.timezone,
            "partitions": None if request.only is None else sorted(request.only),
        }
        return {name: value for name, value in told.items() if value is not None}


def run_ingest(question: LakeQuestion, options: IngestOptions) -> int:
    """Ingest what is asked for; returns the exit code.

    Raises:
        CommandError, TradingError: It could not be started.
    """

    def asked(settings: Settings) -> list[Ask]:
        names = tuple(sources(question, settings))
        return [Ask(request, names) for request in ingest_requests(question, settings)]

    return _run(asked, options)


def run_refetch(
    question: LakeQuestion, options: IngestOptions, *, only_gaps: bool, dry_run: bool
) -> int:
    """Fetch stored partitions again, each from the source that it is of; returns the exit code.

    Args:
        question: Which.
        options: How.
        only_gaps: Whether those with an open gap are meant alone, stored or not.
        dry_run: Whether to name them and do nothing.

    Raises:
        CommandError, TradingError: It could not be started.
    """
    files_of = _with_gaps if only_gaps else _all_files
    if not dry_run:
        return _run(lambda settings: _stored(question, settings, files_of), options)
    settings = installation()
    named_server(settings)  # the settings' credentials, where a block has them
    due = _stored(question, settings, files_of)
    files = sorted(file for ask in due for file in ask.request.only or ())
    nothing = NO_GAP if only_gaps else NO_PARTITION
    typer.echo(as_json({"partitions": files}) if options.json else "\n".join(files) or nothing)
    return 0


def _stored(
    question: LakeQuestion,
    settings: Settings,
    files_of: Callable[[BronzeRequest], frozenset[str]],
) -> list[Ask]:
    """A run for each source and interval of which there are such files."""
    found: dict[tuple[str, str], list[tuple[BronzeRequest, frozenset[str]]]] = {}
    for request in stored_requests(question, settings):
        if files := files_of(request):
            found.setdefault((request.source, request.interval.value), []).append((request, files))
    if not found:
        check_known(question, settings)
    return [_joined(parts, question) for parts in found.values()]


def _with_gaps(request: BronzeRequest) -> frozenset[str]:
    lake = open_directory(request.lake_dir, "lake_dir")
    series = [Series(request.source, request.interval, s) for s in request.symbols]
    records = gap_records(lake, series, request.first, request.last)
    return frozenset(record.key.relative_path for record in records)


def _all_files(request: BronzeRequest) -> frozenset[str]:
    lake = open_directory(request.lake_dir, "lake_dir")
    return frozenset(
        key.relative_path
        for symbol in request.symbols
        for key in keys_between(
            lake, Series(request.source, request.interval, symbol), request.first, request.last
        )
    )


def _joined(parts: Sequence[tuple[BronzeRequest, frozenset[str]]], question: LakeQuestion) -> Ask:
    requests = [request for request, _ in parts]
    whole = dataclasses.replace(
        requests[0],
        symbols=tuple(symbol for request in requests for symbol in request.symbols),
        first=min(request.first for request in requests),
        last=max(request.last for request in requests),
        only=frozenset(file for _, files in parts for file in files),
    )
    if whole.source == SourceName.FILES:
        folder = question.source_dir and absolute(question.source_dir, "source_dir")
        whole = dataclasses.replace(whole, source_dir=folder or None, timezone=question.timezone)
    return Ask(whole, (SourceName(whole.source),))


def _run(asked: Callable[[Settings], list[Ask]], options: IngestOptions) -> int:
    started = time.monotonic()
    early = settings_before_a_server()
    asks = None if early is None else _checked(asked, early)
    with ExitStack() as running:
        with progress_display() as display:
            display.phase(STARTING)
            connection = running.enter_context(prefect_connection(options.server_dir, options.port))
            quiet_prefect()
            settings = installation()
            say_whose_server(connection)
            use_credentials_block(settings, connection)
            asks = _checked(asked, settings) if asks is None else asks
            if not asks:
                typer.echo(as_json({"status": COMPLETED, "runs": []}) if options.json else NOTHING)
                return 0
            pipeline = Pipeline(connection, settings, options.server_dir, display)
            pipeline.prepare()
            asyncio.run(_check_sources(asks))
            ended = [_execute(ask, pipeline, options, display) for ask in asks]
        tell = _object if options.json else _text
        typer.echo(tell(asks, ended, time.monotonic() - started))
        for end in ended:
            if end.status != COMPLETED:
                typer.echo(f"\nThe run ended {end.status}: {end.message}".rstrip(": "), err=True)
        point_to_the_ui(connection, serve=False)
    return 0 if all(end.status == COMPLETED for end in ended) else FAILED


def _checked(asked: Callable[[Settings], list[Ask]], settings: Settings) -> list[Ask]:
    """What is asked; refuses what can be known to be wrong without a server or a vendor."""
    asks = asked(settings)
    for ask in asks:
        known = [_source(ask, name, settings) for name in ask.names]
        found = [source for source in known if source is not None]
        if len(found) == len(known):
            serving_sources(found, ask.request)
        for source in found:
            if source.name == SourceName.FILES:
                source.check_access()
        check_writable(open_directory(ask.request.lake_dir, "lake_dir"), "lake_dir")
    return asks


def _source(ask: Ask, name: SourceName, settings: Settings) -> BarSource | None:
    """A source; None where its key may be in a block of the server."""
    if _lacks_key(name, settings):
        return None
    # In a chain with `files` its parameters are no other's.
    own = name is SourceName.FILES or SourceName.FILES not in ask.names
    return bar_source(
        name,
        settings.keys,
        source_dir=ask.request.source_dir if own else None,
        timezone=ask.request.timezone if own else None,
    )


def _lacks_key(name: SourceName, settings: Settings) -> bool:
    """Whether a key is to be looked for in a block of the server."""
    keys = settings.keys
    if name is SourceName.POLYGON:
        return keys.polygon_api_key is None
    return name is SourceName.ALPACA and None in {keys.alpaca_key_id, keys.alpaca_secret_key}


async def _check_sources(asks: Sequence[Ask]) -> None:
    """Find out, before anything is submitted, whether the sources let us in and have such bars."""
    from flows.bars.bronze import checked_sources, named_sources  # noqa: PLC0415 - loads Prefect

    for ask in asks:
        found = await named_sources(ask.names, ask.request.source_dir, ask.request.timezone)
        await asyncio.to_thread(checked_sources, found, ask.request)


def _execute(ask: Ask, pipeline: Pipeline, options: IngestOptions, display: Display) -> EndedFlow:
    from cli.pipeline.flow_in_process import ProgressWatch, run_flow  # noqa: PLC0415 - loads Prefect
    from flows.bars.bronze import bronze  # noqa: PLC0415 - as above
    from flows.deploy.deployments import BRONZE  # noqa: PLC0415 - as above
    from flows.runs.observing import observer  # noqa: PLC0415 - as above

    job_per = options.job_per or pipeline.settings.job_per.value
    names = " -> ".join(ask.names)
    symbols = len(ask.request.symbols)
    display.phase(
        f"Fetching {ask.request.interval.value} bars of {symbols} symbols from {names} "
        f"(job_per={job_per})"
    )
    watch = ProgressWatch(display)
    token = observer.set(watch.observe)
    try:
        return run_flow(
            BRONZE,
            bronze,
            ask.parameters(job_per, reprocess=options.reprocess),
            worker=worker_for(job_per, pipeline.settings.work_pool, pipeline.worker_log),
            watch=watch,
            leases=leases_of(pipeline.connection, pipeline.server_dir),
        )
    finally:
        observer.reset(token)


def _fields(ask: Ask, ended: EndedFlow) -> Mapping[str, Any]:
    summary = dataclasses.asdict(ended.value) if ended.value is not None else {}
    return {
        "interval": ask.request.interval.value,
        "symbols": len(ask.request.symbols),
        "start": ask.request.first.isoformat(),
        "end": ask.request.last.isoformat(),
        "status": ended.status,
        "message": ended.message,
        "flow_run_id": str(ended.flow_run_id),
        **summary,
    }


def _object(asks: Sequence[Ask], ended: Sequence[EndedFlow], seconds: float) -> str:
    runs = [_fields(ask, end) for ask, end in zip(asks, ended, strict=True)]
    complete = all(end.status == COMPLETED for end in ended)
    return as_json(
        {
            "status": COMPLETED if complete else "failed",
            "lake_dir": asks[0].request.lake_dir,
            "wall_seconds": round(seconds, 3),
            "runs": runs,
        }
    )


def _text(asks: Sequence[Ask], ended: Sequence[EndedFlow], seconds: float) -> str:
    lines: list[str] = []
    gaps = 0
    for ask, end in zip(asks, ended, strict=True):
        request, summary = ask.request, end.value
        rows = [
            ("Bars", f"{request.interval.value} of {len(request.symbols)} symbols"),
            ("Source", " -> ".join(ask.names)),
            ("Days", f"{request.first} to {request.last}"),
        ]
        if summary is not None:
            gaps += summary.open_gaps
            rows += [
                ("Partitions", f"{summary.total:,}"),
                ("  fetched", f"{summary.completed:,}"),
                ("  skipped", f"{summary.skipped:,} (up to date)"),
                ("  failed", f"{summary.failed:,}"),
                ("Open gaps", f"{summary.open_gaps:,} sessions, {summary.missing:,} bars"),
            ]
        lines += [f"{name:<14}{value}" for name, value in rows]
        lines += _warnings(() if summary is None else summary.warnings)
        lines.append("")
    lines.append(f"{'Lake':<14}{asks[0].request.lake_dir}")
    lines.append(f"{'Time':<14}{seconds:.1f} s")
    if gaps:
        command = shell_command("trading", "lake", "gaps", "--lake-dir", asks[0].request.lake_dir)
        lines += ["", f"To see what is missing: {command}"]
    return "\n".join(lines)


def _warnings(warnings: Sequence[str]) -> list[str]:
    shown = [f"  {warning}" for warning in warnings[:SHOWN_WARNINGS]]
    more = len(warnings) - len(shown)
    if more > 0:
        shown.append(f"  ... and {more} more, in the artifact of the run")
    return ["Warnings", *shown] if shown else []
