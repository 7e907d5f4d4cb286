"""`bronze`: raw bars of many symbols into the lake, each stretch of time a flow run."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from adapters.market_data.bar_source import BarSource
from adapters.market_data.sources import SourceName
from fanout import end_orphans
from flows.bars.by_symbol import SymbolRuns
from flows.bars.parameters import (
    BarInterval,
    SourceDir,
    Symbol,
    Timezone,
    forget_sources,
    source_of,
)
from flows.bars.passes import BronzePasses
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.parameters import JobPerChoice, LakeDir, Reprocess, lake_url
from flows.boundary.settings import JobPer, settings
from flows.runs import rendering
from flows.runs.dataset_run import DatasetSummary
from flows.runs.observing import observer
from lake.bronze.contents import Series, check_sessions, gap_records
from lake.bronze.request import BronzeRequest, usual_grain
from lake.bronze.serving import serving_sources
from lake.grain import Grain
from lake.reference.refresh import refresh_actions
from lake.reference.universes import read_universe
from storage.checks import check_writable
from storage.directory import open_directory
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.clock import NEW_YORK


@dataclass(frozen=True, slots=True)
class BronzeSummary:
    """What a run of bronze came to.

    Attributes:
        total: Partitions that the request asks for.
        completed: Fetched by this run.
        skipped: Up to date before it.
        failed: Neither.
        open_gaps: Sessions that lack bars which are still wanted.
        missing: How many bars these lack.
        warnings: What sessions say of each other, and what else is odd, a sentence each.
        sources: The sources that were asked, in order.
    """

    total: int
    completed: int
    skipped: int
    failed: int
    open_gaps: int
    missing: int
    warnings: tuple[str, ...]
    sources: tuple[str, ...]


def run_name(parameters: Mapping[str, Any]) -> str:
    """`20 symbols, 1m`."""
    count = len(parameters["symbols"] or ())
    what = f"{count} symbol{'' if count == 1 else 's'}" if count else "universe"
    return f"{what}, {parameters['interval']}"


def _run_name() -> str:
    return run_name(flow_run.parameters)


@flow(name="bronze", flow_run_name=_run_name)
@domain_errors_fail_run
@documented
async def bronze(
    start: Annotated[
        date, Field(description="First day, inclusive, in New York.", examples=["2024-01-02"])
    ],
    end: Annotated[
        date | None,
        Field(
            description="Last day, inclusive, in New York. Empty: today.", examples=["2024-03-28"]
        ),
    ] = None,
    symbols: Annotated[
        list[Symbol] | None,
        Field(
            description="Which symbols. Empty: those of TRADING_UNIVERSE.",
            examples=[["AAPL", "MSFT"]],
        ),
    ] = None,
    interval: BarInterval = Interval.MINUTE,
    sources: Annotated[
        list[SourceName] | None,
        Field(
            description="Sources in the order in which to ask them; the next one is asked for what "
            "those before it lack. Empty: TRADING_SOURCES.",
            examples=[["polygon", "yahoo"]],
        ),
    ] = None,
    grain: Annotated[
        Grain | None,
        Field(
            description="What a partition covers where none is stored: session, month or year. "
            "Empty: a session of minutes, a year of days.",
            examples=["month"],
        ),
    ] = None,
    job_per: JobPerChoice = None,
    reprocess: Reprocess = False,
    partitions: Annotated[
        list[str] | None,
        Field(
            description="Partitions by their files in the lake; empty: all of the symbols.",
            examples=[["bronze/synthetic/1m/AAPL/20240102.parquet"]],
        ),
    ] = None,
    lake_dir: LakeDir = None,
    source_dir: SourceDir = None,
    timezone: Timezone = None,
) -> BronzeSummary:
    """Fetch raw bars: what is missing, what a source may still correct, what has a gap.

    Every partition is a flow run of its own. Ends Failed when one failed, after all others have
    been tried. Running it again asks only for what is missing.
    """
    if orphans := await end_orphans():
        get_run_logger().info("Ended %d runs whose process was gone", orphans)
    forget_sources()
    names = tuple(sources or settings().sources)
    lake = open_directory(lake_url(lake_dir), "lake_dir")
    request = BronzeRequest(
        source=names[0].value,
        interval=interval,
        symbols=tuple(symbols) if symbols else await asyncio.to_thread(_universe, lake.url),
        first=start,
        last=end or max(start, datetime.now(NEW_YORK).date()),
        grain=grain or usual_grain(interval),
        lake_dir=lake_url(lake_dir),
        source_dir=source_dir,
        timezone=timezone,
        reprocess=reprocess,
        only=None if partitions is None else frozenset(partitions),
    )
    asked = await named_sources(names, source_dir, timezone)
    serving = await asyncio.to_thread(checked_sources, asked, request)
    await asyncio.to_thread(check_writable, lake, "lake_dir")
    placed = job_per or settings().job_per
    problem: UnfinishedError | None = None
    try:
        if placed is JobPer.SYMBOL and len(request.symbols) > 1:
            counts = await SymbolRuns(request, serving, observer.get()).run()
        else:
            passes = BronzePasses(request, serving, placed.partition_placement)
            counts = await passes.run(observer.get())
    except UnfinishedError as error:
        problem, counts = error, error.summary
    summary = await _accounted(request, serving, counts)
    if problem is not None:
        raise UnfinishedError(problem.message, summary)
    return summary


async def named_sources(
    names: Sequence[SourceName], source_dir: str | None, timezone: str | None
) -> list[BarSource]:
    """The sources of a run, in order.

    Raises:
        ParameterError: A key or the folder of `files` is missing, or is of use to none of them.
    """
    files = SourceName.FILES in names
    return [
        # In a chain with `files` its parameters are no other's.
        await source_of(name, source_dir, timezone)
        if name is SourceName.FILES or not files
        else await source_of(name, None, None)
        for name in names
    ]


def _universe(lake_dir: str) -> tuple[str, ...]:
    name = settings().universe
    if name is None:
        allowed = "a list of symbols, and TRADING_UNIVERSE names no universe to take them from"
        raise ParameterError("symbols", None, allowed, "name them, e.g. AAPL,MSFT")
    return read_universe(open_directory(lake_dir, "lake_dir"), name)


def checked_sources(sources: Sequence[BarSource], request: BronzeRequest) -> list[BarSource]:
    """Those of the sources that have bars as asked for, each known to let us in.

    Raises:
        ParameterError: A source is named twice, or none has bars of the interval, or so far back.
        AccessError: One refuses the key.
        SourceError: One cannot be reached.
    """
    serving = serving_sources(sources, request)
    for source in serving:
        source.check_access()
    return serving


async def _accounted(
    request: BronzeRequest, sources: Sequence[BarSource], counts: DatasetSummary
) -> BronzeSummary:
    """What the run came to, with what only the lake as a whole can tell."""
    warnings = await asyncio.to_thread(_odd, request, sources, counts)
    gaps = await asyncio.to_thread(_open_gaps, request, sources)
    for warning in warnings:
        get_run_logger().warning("%s", warning)
    summary = BronzeSummary(
        total=counts.total,
        completed=counts.completed,
        skipped=counts.skipped,
        failed=counts.failed,
        open_gaps=len(gaps),
        missing=sum(lacking for _, _, lacking, _ in gaps),
        warnings=warnings,
        sources=tuple(source.name for source in sources),
    )
    await acreate_markdown_artifact(
        _markdown(summary, gaps),
        key="bronze-quality",
        description=f"{summary.open_gaps} open gaps, {len(warnings)} warnings",
    )
    return summary


Gap = tuple[str, str, int, str]
"""Partition, session, bars that it lacks, and the reason."""


def _open_gaps(request: BronzeRequest, sources: Sequence[BarSource]) -> list[Gap]:
    lake = open_directory(request.lake_dir, "lake_dir")
    every = _series(request, sources)
    return [
        (record.key.label, gap.session.isoformat(), gap.expected - gap.present, gap.reason.value)
        for record in gap_records(lake, every, request.first, request.last)
        for gap in record.gaps
    ]


def _odd(
    request: BronzeRequest, sources: Sequence[BarSource], counts: DatasetSummary
) -> tuple[str, ...]:
    """Actions brought up to date, and what the sessions of the symbols say of each other."""
    lake = open_directory(request.lake_dir, "lake_dir")
    failures: tuple[str, ...] = ()
    informed = next((s for s in sources if s.capability.actions), None)
    if informed is not None and counts.completed:
        found = refresh_actions(lake, informed, request.symbols, request.first, request.last)
        if found:
            more = f" (and of {len(found) - 1} more symbols)" if len(found) > 1 else ""
            failures = (f"actions: {found[0]}{more}",)
    checks = (
        f"{check.check}: {check.message}"
        for series in _series(request, sources)
        for check in check_sessions(lake, series, request.first, request.last)
    )
    return (*failures, *checks)


def _series(request: BronzeRequest, sources: Sequence[BarSource]) -> list[Series]:
    return [
        Series(source.name, request.interval, symbol)
        for source in sources
        for symbol in request.symbols
    ]


def _markdown(summary: BronzeSummary, gaps: Sequence[Gap]) -> str:
    listed = rendering.LISTED_FAILURES
    parts = [f"# Quality of bronze from {' -> '.join(summary.sources)}"]
    if gaps:
        rows = rendering.table(("partition", "session", "bars missing", "reason"), gaps[:listed])
        parts += [f"## Open gaps: {summary.open_gaps}", rows]
    if summary.warnings:
        parts += ["## Warnings", "\n".join(f"- {w}" for w in summary.warnings[:listed])]
    if not gaps and not summary.warnings:
        parts.append("All that was asked for is there, and nothing in it is odd.")
    return "\n\n".join(parts)
