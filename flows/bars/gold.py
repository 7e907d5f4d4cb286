"""`gold`: every gold partition whose silver, actions or parameters changed, each a flow run."""

import asyncio

from prefect import flow

from flows.bars.gold_partition import gold_partition
from flows.bars.layer import LayerSummary, run_datasets
from flows.bars.layer_parameters import (
    DEFAULT_CONTEXT,
    DEFAULT_INTERVALS,
    NO_SETTINGS,
    AsOf,
    BarIntervals,
    ContextSymbols,
    FirstDate,
    LakeFiles,
    LastDate,
    StrategyName,
    StrategySettings,
    Symbols,
    moment,
)
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import JobPerChoice, LakeDir, Reprocess, lake_url
from flows.boundary.settings import settings
from flows.deploy.deployments import GOLD_PARTITION
from flows.runs.dataset_run import DatasetRun, Leaf
from flows.runs.observing import observer
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from storage.checks import check_writable


@flow(name="gold", flow_run_name="gold of {strategy}")
@domain_errors_fail_run
@documented
async def gold(
    symbols: Symbols = None,
    intervals: BarIntervals = DEFAULT_INTERVALS,
    strategy: StrategyName = "vegas_channel",
    parameters: StrategySettings = NO_SETTINGS,
    first: FirstDate = None,
    last: LastDate = None,
    as_of: AsOf = None,
    context_symbols: ContextSymbols = DEFAULT_CONTEXT,  # type: ignore[assignment]
    job_per: JobPerChoice = None,
    reprocess: Reprocess = False,
    partitions: LakeFiles = None,
    lake_dir: LakeDir = None,
) -> LayerSummary:
    """Make the indicators and signals that are not up to date, and a page with their charts.

    Ends Failed when a partition failed, after all others have been tried.
    """
    request = GoldRequest(
        lake_dir=lake_url(lake_dir),
        strategy=strategy,
        parameters=parameters,
        intervals=tuple(dict.fromkeys(intervals)),
        symbols=tuple(symbols or ()),
        first=first,
        last=last,
        as_of=moment(as_of),
        reprocess=reprocess,
        only=None if partitions is None else frozenset(partitions),
        context_symbols=context_symbols,
    )
    await asyncio.to_thread(check_writable, request.lake, "lake_dir")
    placement = (job_per or settings().job_per).partition_placement
    run = DatasetRun(
        dataset=GoldDataset(),
        request=request,
        leaf=Leaf(GOLD_PARTITION, gold_partition),
        placement=placement,
        policy=settings().partition_policy(placement),
        observe=observer.get(),
    )
    return await run_datasets([run])
