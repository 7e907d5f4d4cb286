"""`gold`: every gold partition whose silver, actions or parameters changed, each a flow run."""

import asyncio
import json

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

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
    Pages,
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
from flows.runs.commands import shell_command
from flows.runs.dataset_run import DatasetRun, Leaf
from flows.runs.observing import observer
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest, page_name
from storage.checks import check_writable

LISTED_PAGES = 200
"""Most pages that the artifact names."""


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
    pages: Pages = True,
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
    summary = await run_datasets([run])
    if pages:
        await _publish_pages(request, anything_new=summary.completed > 0)
    return summary


async def _publish_pages(request: GoldRequest, *, anything_new: bool) -> None:
    """Draw the pages of the symbols, and name them in an artifact.

    What was up to date has its page already, unless somebody removed it.
    """
    written = []
    for symbol in await asyncio.to_thread(GoldDataset().symbols, request):
        known = await asyncio.to_thread(request.lake.identity, page_name(request, symbol))
        if anything_new or known is None:
            written.append(await asyncio.to_thread(_page, request, symbol))
    if written:
        listed = [f"- {url}" for url in written[:LISTED_PAGES]]
        more = len(written) - len(listed)
        listed += [f"- and {more:,} more"] if more else []
        await acreate_markdown_artifact(
            "\n".join(["# Signals, a page per symbol to open in a browser", "", *listed]),
            key="gold-pages",
            description=f"Charts of {len(written)} symbols",
        )


def _page(request: GoldRequest, symbol: str) -> str:
    from lake.gold.page import write_page  # noqa: PLC0415 - draws, which a partition never does

    words = ["lake", "build", "gold", "--symbols", symbol, "--strategy", request.strategy]
    words += ["--interval", ",".join(request.intervals), "--lake-dir", request.lake_dir]
    if request.parameters:
        words += ["--parameters", json.dumps(dict(request.parameters))]
    return write_page(request, symbol, shell_command("trading", *words))
