"""`backtest`: every parameter set on every account that is not up to date, and what they mean."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from pydantic import Field

from flows.backtests.backtest_partition import DEFAULTS, backtest_partition
from flows.backtests.batches import BatchedRun
from flows.backtests.command import backtest_command
from flows.backtests.parameters import (
    AccountAssumptions,
    AsOf,
    BarInterval,
    Batch,
    End,
    Folds,
    Grid,
    HeldBack,
    MarketInput,
    Sample,
    Seed,
    Start,
    market_url,
)
from flows.backtests.rendering import sweep_text
from flows.bars.layer import LayerSummary, run_datasets
from flows.bars.layer_parameters import DEFAULT_CONTEXT, ContextSymbols, StrategyName, Symbols
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.parameters import JobPerChoice, LakeDir, Reprocess, lake_url
from flows.boundary.settings import settings
from flows.deploy.deployments import BACKTEST_PARTITION
from flows.runs.dataset_run import DatasetRun, Leaf
from flows.runs.observing import observer
from lake.backtests.dataset import BacktestDataset, WalkForwardDataset
from lake.backtests.request import HELD_BACK, BacktestRequest
from lake.backtests.summary import SweepResult, sweep_result, write_page
from storage.checks import check_writable
from trading.backtest.sweep.parameter_sets import Search, parameter_sets
from trading.bars.intervals import Interval
from trading.strategies.registry import strategy_named

USUAL = {
    "interval": Interval.DAY.value,
    "assumptions": DEFAULTS.model_dump(mode="json"),
    "held_back": HELD_BACK,
    "context_symbols": dict(DEFAULT_CONTEXT),
}
"""What the commands in messages leave out."""


@dataclass(frozen=True, slots=True)
class BacktestSummary:
    """What a run of backtests came to.

    Attributes:
        counts: Of its partitions.
        sweep: Its sets ranked, and its folds.
        page: The URL of its page; empty where no set has a result.
        left_out: Combinations of the grid that the strategy refuses, with the reason.
    """

    counts: LayerSummary
    sweep: SweepResult
    page: str
    left_out: tuple[str, ...]


@flow(name="backtest", flow_run_name="backtest of {strategy}")
@domain_errors_fail_run
@documented
async def backtest(
    strategy: StrategyName,
    interval: BarInterval = Interval.DAY,
    symbols: Symbols = None,
    portfolio: Annotated[
        bool, Field(description="Whether one account trades all symbols, instead of one each.")
    ] = False,
    start: Start = None,
    end: End = None,
    grid: Grid = None,
    sample: Sample = None,
    seed: Seed = 0,
    walk_forward: Folds = None,
    assumptions: AccountAssumptions = DEFAULTS,
    held_back: HeldBack = HELD_BACK,
    batch: Batch = 50,
    as_of: AsOf = None,
    context_symbols: ContextSymbols = DEFAULT_CONTEXT,  # type: ignore[assignment]
    job_per: JobPerChoice = None,
    reprocess: Reprocess = False,
    lake_dir: LakeDir = None,
    input_dir: MarketInput = None,
) -> BacktestSummary:
    """Trade the sets that are not up to date, rank all of them, and draw a page.

    Ends Failed when a partition failed, after all others have been tried.
    """
    search = Search(grid=grid or {}, sample=sample, seed=seed)
    tried = parameter_sets(strategy_named(strategy), search)
    request = BacktestRequest(
        lake_dir=lake_url(lake_dir),
        strategy=strategy,
        interval=interval,
        sets=tried.sets,
        symbols=tuple(symbols or ()),
        portfolio=portfolio,
        start=start,
        end=end,
        assumptions=assumptions,
        held_back=held_back,
        folds=walk_forward or 0,
        input_dir=market_url(input_dir),
        as_of=(as_of or datetime.now(UTC)).astimezone(UTC),
        reprocess=reprocess,
        context_symbols=context_symbols,
    )
    await asyncio.to_thread(check_writable, request.lake, "lake_dir")
    placement = (job_per or settings().job_per).partition_placement
    failure = ""
    try:
        counts = await run_datasets(_runs(request, batch, placement))
    except UnfinishedError as error:
        counts, failure = error.summary, error.message
    summary = await _published(request, search, counts, tried.left_out)
    if failure:
        raise UnfinishedError(failure, summary)
    return summary


def _runs(request: BacktestRequest, batch: int, placement: Any) -> list[DatasetRun[Any, Any]]:  # noqa: ANN401
    leaf = Leaf(BACKTEST_PARTITION, backtest_partition, USUAL)
    shared = {
        "request": request,
        "leaf": leaf,
        "placement": placement,
        "policy": settings().partition_policy(placement),
        "observe": observer.get(),
        "output": request.lake,
    }
    runs: list[DatasetRun[Any, Any]] = [
        BatchedRun(dataset=BacktestDataset(), batch=batch, **shared)
    ]
    if request.folds:
        runs.append(DatasetRun(dataset=WalkForwardDataset(), **shared))
    return runs


async def _published(
    request: BacktestRequest, search: Search, counts: LayerSummary, left_out: Sequence[str]
) -> BacktestSummary:
    """Rank what there is, draw its page, and keep both in an artifact."""
    sweep = await asyncio.to_thread(sweep_result, request)
    page = ""
    if sweep.ranking.results:
        command = backtest_command(request, search)
        page = await asyncio.to_thread(write_page, request, sweep, command, left_out)
    await acreate_markdown_artifact(
        sweep_text(sweep, page, left_out),
        key="backtest-ranking",
        description=f"{sweep.ranking.tried} sets of {sweep.strategy}",
    )
    return BacktestSummary(counts, sweep, page, tuple(left_out))
