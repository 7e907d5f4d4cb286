"""`trading-orchestrator`: ingest, validate, analyse every contract, aggregate."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated, Any

from prefect import Flow, flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from adapters.market_data.protocol import CloseInterval
from fanout import end_orphans
from flows.aggregate_portfolio_flow import aggregate_portfolio_flow
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
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
from flows.runs.commands import non_default_parameters, run_command
from flows.runs.contract_work import ContractWork
from flows.runs.progress import Observer
from flows.runs.steps import run_step
from flows.validate_data_flow import validate_data
from lake.dataset import SymbolStatus
from lake.grain import Grain
from lake.keys import Partition
from lake.keys import partitions as partitions_of
from lake.market.dataset import RESULTS
from lake.market.request import MarketRequest
from lake.planning import plan, remove_leftovers
from storage.checks import check_writable
from storage.directory import open_directory
from storage.location import below
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


def trading_orchestrator_flow(
    observer: Observer | None = None, writable: str | None = None
) -> Flow[..., Awaitable[Any]]:
    """The flow, for a command that follows it in this process or for any run.

    Args:
        observer: Who follows the partitions of this run.
        writable: The output directory that results can be written to, as the command has found.
    """

    @flow(name="trading-orchestrator", flow_run_name=_run_name)
    @domain_errors_fail_run
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
            date | None,
            Field(description="First day to fetch, inclusive.", examples=["2024-10-15"]),
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
        checked = {writable}
        if run_ingestion:
            # Before minutes of fetching. Otherwise last: wrong input is told first.
            await _check_writable(target, checked)
            ingested = await run_step(
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
        request = MarketRequest(
            input_dir=open_directory(source, "input_dir"),
            output_dir=open_directory(target, "output_dir"),
            contracts=None if contracts is None else tuple(contracts),
            grain=grain,
            strategy=strategy,
            only=None if partitions is None else frozenset(partitions),
            reprocess=reprocess,
        )
        request = await asyncio.to_thread(_selected, request, num_contracts)
        validation = await _validated(request) if run_validation else None
        plans = await asyncio.to_thread(plan, RESULTS, request)
        grid = await asyncio.to_thread(_keys, request, plans)
        await _check_writable(target, checked)
        await asyncio.to_thread(remove_leftovers, request.output_dir, plans)
        chosen = job_per or settings().job_per
        work = ContractWork(request=request, job_per=chosen, observer=observer)
        accounts = await work.account(plans, await work.fan_out(plans))
        ended = Ended(request, accounts, validation)
        if run_aggregation and not any(a.failed for a in accounts):
            ended = replace(ended, portfolio=await _aggregated(ended))
        return await _published(ended, grid)

    return trading_orchestrator


trading_orchestrator = trading_orchestrator_flow()


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run came to, before it is told.

    Attributes:
        request: What was asked for.
        accounts: What became of each contract's partitions.
        validation: What validation said of the data; None when it was not asked for.
        portfolio: The portfolio's metrics; None when it was not aggregated.
    """

    request: MarketRequest
    accounts: Sequence[Account]
    validation: ValidationReport | None
    portfolio: Mapping[str, Any] | None = None

    def counts(self) -> dict[str, int]:
        """Partitions of all contracts, by what became of them."""
        names = ("total", "completed", "skipped", "failed")
        return {name: sum(getattr(a, name) for a in self.accounts) for name in names}


async def _check_writable(output_dir: str, checked: set[str | None]) -> None:
    """Make sure that results can be written there, unless that is known."""
    if output_dir not in checked:
        directory = open_directory(output_dir, "output_dir")
        await asyncio.to_thread(check_writable, directory, "output_dir")
        checked.add(output_dir)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _selected(request: MarketRequest, num_contracts: int) -> MarketRequest:
    available = request.market().contracts
    return replace(
        request, contracts=tuple(selected_contracts(available, request.contracts, num_contracts))
    )


def _keys(
    request: MarketRequest, plans: Sequence[SymbolStatus[Partition]]
) -> dict[str, Sequence[Partition]]:
    """All partitions of each contract, those that were not asked for among them."""
    if request.only is None:
        return {planned.symbol: planned.keys for planned in plans}
    stamps = request.market().timestamps()
    return {p.symbol: partitions_of(stamps, p.symbol, request.grain) for p in plans}


async def _validated(request: MarketRequest) -> ValidationReport:
    checked = {"input_dir": request.input_dir.location, "contracts": list(request.contracts or ())}
    report: ValidationReport = (await run_step(VALIDATE_DATA, validate_data, checked)).value
    return report


async def _aggregated(ended: Ended) -> Mapping[str, Any]:
    """The portfolio's metrics; the report is told what this run did."""
    request = ended.request
    contracts = [a.contract for a in ended.accounts]
    again = {"contracts": contracts, **request.parameters()}
    run = RunAccount(
        **ended.counts(),
        command=run_command(ORCHESTRATOR, non_default_parameters(again)),
        validation=ended.validation,
    )
    asked = {
        # What was redone in part is aggregated with the rest.
        "contracts": contracts if request.only is None else None,
        "cost_bps": request.strategy.cost_bps,
        **request.parameters(),
    }
    aggregated = await run_step(AGGREGATE_PORTFOLIO, aggregate_portfolio_flow(run), asked)
    metrics: Mapping[str, Any] = aggregated.value
    return metrics


async def _published(ended: Ended, keys: Mapping[str, Sequence[Partition]]) -> OrchestrationSummary:
    """Publish what the run came to, and end it: completed, or Failed with what to redo."""
    request, validation = ended.request, ended.validation
    summary = OrchestrationSummary(
        **ended.counts(), portfolio=ended.portfolio, validation=validation
    )
    failures = [failure for a in ended.accounts for failure in a.failures]
    labels, cells = await asyncio.to_thread(_grid, ended, keys)
    await acreate_markdown_artifact(
        rendering.orchestration_summary(
            summary,
            {a.contract: a for a in ended.accounts},
            labels,
            cells,
            failures,
            ended.portfolio,
            rendering.places_text(request.input_dir.location, request.output_dir.location),
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
    ended: Ended, keys: Mapping[str, Sequence[Partition]]
) -> tuple[list[str], dict[str, list[rendering.Cell]]]:
    first = next(iter(keys.values()), ())
    labels = [p.label.removeprefix(f"{p.symbol} ") for p in first]
    only = ended.request.only
    return labels, {a.contract: a.cells(keys[a.contract], only) for a in ended.accounts}
