"""`trading-orchestrator`: ingest, validate, analyse every contract, aggregate."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Any

from prefect import Flow, flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from adapters.market_data.protocol import CloseInterval
from fanout import (
    Child,
    ChildResult,
    Outcome,
    Placement,
    end_orphans,
    fan_out,
)
from flows.aggregate_portfolio_flow import aggregate_portfolio, run_account
from flows.boundary.documented import documented
from flows.boundary.errors import StepError, UnfinishedError, fails_plainly
from flows.boundary.parameters import (
    DEFAULT_STRATEGY,
    ContractNames,
    InputDir,
    JobPerChoice,
    OutputDir,
    PartitionFiles,
    PartitionGrain,
    Reprocess,
    Strategy,
    input_url,
    output_url,
)
from flows.boundary.settings import settings
from flows.deploy.deployments import (
    AGGREGATE_PORTFOLIO,
    INGEST_MARKET_DATA,
    ORCHESTRATOR,
    VALIDATE_DATA,
)
from flows.ingest_market_data_flow import (
    DEFAULT_SYMBOLS,
    IngestionInterval,
    IngestionSymbols,
    ingest_market_data,
)
from flows.runs import rendering
from flows.runs.accounting import Account
from flows.runs.commands import run_command, telling
from flows.runs.contract_work import Work, account, fan_out_contracts
from flows.validate_data_flow import validate_data
from lake.grain import Grain
from lake.keys import partitions
from lake.market.inputs import open_market_data
from storage.checks import check_writable
from storage.directory import open_directory
from storage.location import below
from trading.arrays import Timestamps
from trading.bars.quality.findings import ValidationReport
from trading.instruments.symbols import selected_contracts
from trading.report.content import RunAccount


@dataclass(frozen=True, slots=True)
class OrchestrationSummary:
    """What a run of the orchestrator came to.

    Attributes:
        total: Partitions of all contracts.
        completed: Computed by this run.
        skipped: Up to date before it.
        failed: Neither.
        validation: What validation said of the data; None when it was not asked for.
        portfolio: The portfolio's metrics; None when it was not aggregated.
    """

    total: int
    completed: int
    skipped: int
    failed: int
    portfolio: Mapping[str, Any] | None = field(default=None)
    validation: ValidationReport | None = None


def run_name(parameters: Mapping[str, Any]) -> str:
    """`10 contracts by bar`, or `3 partitions by bar` when they were named.

    Contracts are those named, or else those ingested, or else the first so many of the data.
    """
    files, named = parameters["partitions"], parameters["contracts"]
    what = "contract" if files is None else "partition"
    if files is None and parameters["run_ingestion"]:
        named = named or parameters["ingestion_symbols"] or DEFAULT_SYMBOLS
    count = len(files or named or ()) or (parameters["num_contracts"] if files is None else 0)
    return f"{count} {what}{'' if count == 1 else 's'} by {parameters['grain']}"


def _run_name() -> str:
    return run_name(flow_run.parameters)


@flow(name="trading-orchestrator", flow_run_name=_run_name)
@fails_plainly
@documented
async def trading_orchestrator(
    num_contracts: Annotated[
        int,
        Field(
            ge=1,
            description="How many contracts to analyse, in the order of the data.",
            examples=[10],
        ),
    ] = 10,
    contracts: ContractNames = None,
    run_ingestion: Annotated[
        bool, Field(description="Whether to fetch market data first.")
    ] = False,
    run_validation: Annotated[
        bool, Field(description="Whether to validate the data; FAIL stops before the fan-out.")
    ] = True,
    run_aggregation: Annotated[
        bool, Field(description="Whether to aggregate the portfolio at the end.")
    ] = True,
    ingestion_symbols: IngestionSymbols = None,
    ingestion_start_date: Annotated[
        date | None, Field(description="First day to fetch, inclusive.", examples=["2024-10-15"])
    ] = None,
    ingestion_end_date: Annotated[
        date | None, Field(description="Last day to fetch, inclusive.", examples=["2024-10-18"])
    ] = None,
    ingestion_interval: IngestionInterval = CloseInterval.HOUR,
    grain: PartitionGrain = Grain.BAR,
    job_per: JobPerChoice = None,
    reprocess: Reprocess = False,
    strategy: Strategy = DEFAULT_STRATEGY,
    input_dir: InputDir = None,
    output_dir: OutputDir = None,
    partitions: PartitionFiles = None,
) -> OrchestrationSummary:
    """Run the pipeline: every partition that is not up to date becomes a flow run of its own.

    Ends Failed when a partition failed, after all others have been tried, with the command that
    redoes each. Running it again does only what is missing.
    """
    if orphans := await end_orphans():
        get_run_logger().info("Ended %d runs whose process was gone", orphans)
    source, target = input_url(input_dir), output_url(output_dir)
    if run_ingestion:
        # Before minutes of fetching. Otherwise last: it makes the directory, and wrong input should
        # leave nothing behind.
        await _check_writable(target)
        ingested = await _step(
            INGEST_MARKET_DATA,
            ingest_market_data,
            {
                "symbols": ingestion_symbols,
                "start_date": _iso(ingestion_start_date),
                "end_date": _iso(ingestion_end_date),
                "interval": ingestion_interval.value,
                "input_dir": source,
            },
        )
        contracts = contracts or ingested.value.contracts
        if folder := ingested.value.interval_folder:
            # Bars of an interval of their own: so are their results.
            source, target = below(source, folder), below(target, folder)
    if partitions is not None:
        contracts = sorted({file.partition("/")[0] for file in partitions})
    selected = await asyncio.to_thread(_selected, source, contracts, num_contracts)
    validation: ValidationReport | None = None
    if run_validation:
        checked = {"input_dir": source, "contracts": selected}
        validation = (await _step(VALIDATE_DATA, validate_data, checked)).value

    work = Work(
        grain=grain,
        job_per=(job_per or settings().job_per).value,
        reprocess=reprocess,
        strategy=strategy,
        input_dir=source,
        output_dir=target,
        only=partitions,
    )
    plans = await asyncio.to_thread(work.plans, selected)
    stamps = await asyncio.to_thread(work.stamps)
    await _check_writable(target)
    accounts = await account(work, plans, await fan_out_contracts(work, plans))
    portfolio = None
    if run_aggregation and not any(a.failed for a in accounts):
        portfolio = await _aggregated(work, accounts, validation)
    return await _ended(work, stamps, accounts, portfolio, validation)


async def _check_writable(output_dir: str) -> None:
    await asyncio.to_thread(check_writable, open_directory(output_dir, "output_dir"), "output_dir")


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _selected(input_dir: str, contracts: list[str] | None, num_contracts: int) -> list[str]:
    market = open_market_data(input_dir)
    return selected_contracts(market.contracts, contracts, num_contracts)


async def _step(
    deployment: str, step: Flow[..., Any], parameters: Mapping[str, Any]
) -> ChildResult:
    """Run one flow inside this process, as a flow run of its own deployment."""
    child = Child(key=deployment, name=step.name, parameters=parameters)
    # A retried orchestrator asks about the world again: what was valid may have changed.
    run_set = await fan_out(
        [child],
        deployment=deployment,
        placement=Placement.INLINE,
        flow=step,
        satisfied=lambda _: (),
    )
    (result,) = run_set.results
    if result.outcome is not Outcome.COMPLETED:
        raise StepError(deployment, result.outcome.value, result.message)
    return result


async def _aggregated(
    work: Work, accounts: list[Account], validation: ValidationReport | None
) -> Mapping[str, Any]:
    """The portfolio's metrics; the report is told what this run did."""
    contracts = [a.contract for a in accounts]
    again = {
        "contracts": contracts,
        "grain": work.grain.value,
        "strategy": work.strategy.model_dump(mode="json"),
        "input_dir": work.input_dir,
        "output_dir": work.output_dir,
    }
    told = run_account.set(
        RunAccount(
            total=sum(a.total for a in accounts),
            completed=sum(a.completed for a in accounts),
            skipped=sum(a.skipped for a in accounts),
            failed=sum(a.failed for a in accounts),
            command=run_command(ORCHESTRATOR, telling(again)),
            validation=validation,
        )
    )
    try:
        aggregated = await _step(
            AGGREGATE_PORTFOLIO,
            aggregate_portfolio,
            {
                "output_dir": work.output_dir,
                # What was redone in part is aggregated with the rest.
                "contracts": contracts if work.only is None else None,
                "cost_bps": work.strategy.cost_bps,
                "input_dir": work.input_dir,
                "grain": work.grain.value,
                "strategy": work.strategy.model_dump(mode="json"),
            },
        )
    finally:
        run_account.reset(told)
    metrics: Mapping[str, Any] = aggregated.value
    return metrics


async def _ended(
    work: Work,
    stamps: Timestamps,
    accounts: list[Account],
    portfolio: Mapping[str, Any] | None,
    validation: ValidationReport | None,
) -> OrchestrationSummary:
    """Publish what the run came to, and end it: completed, or Failed with what to redo."""
    summary = OrchestrationSummary(
        total=sum(a.total for a in accounts),
        completed=sum(a.completed for a in accounts),
        skipped=sum(a.skipped for a in accounts),
        failed=sum(a.failed for a in accounts),
        portfolio=portfolio,
        validation=validation,
    )
    failures = [failure for a in accounts for failure in a.failures]
    labels, cells = await asyncio.to_thread(_grid, work, stamps, accounts)
    await acreate_markdown_artifact(
        rendering.orchestration_summary(
            summary,
            {a.contract: a for a in accounts},
            labels,
            cells,
            failures,
            portfolio,
            rendering.places_text(work.input_dir, work.output_dir),
            warnings=validation.warnings if validation else (),
        ),
        key="orchestration-summary",
        description=f"{summary.total} partitions: {rendering.counts_text(summary)}",
    )
    get_run_logger().info("%d partitions: %s", summary.total, rendering.counts_text(summary))
    if failures:
        raise UnfinishedError(rendering.failure_message(failures, summary.total), summary)
    return summary


def _grid(
    work: Work, stamps: Timestamps, accounts: list[Account]
) -> tuple[list[str], dict[str, list[rendering.Cell]]]:
    every = {a.contract: partitions(stamps, a.contract, work.grain) for a in accounts}
    first = next(iter(every.values()), [])
    labels = [p.label.removeprefix(f"{p.contract} ") for p in first]
    return labels, {a.contract: a.cells(every[a.contract], work.only) for a in accounts}
