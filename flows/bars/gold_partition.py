"""`gold-partition`: indicators and signals of one symbol, interval and month or year."""

import asyncio

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows.bars.layer_parameters import (
    DEFAULT_CONTEXT,
    NO_SETTINGS,
    AsOf,
    ContextSymbols,
    PartitionName,
    StrategyName,
    StrategySettings,
    run_name,
)
from flows.bars.parameters import BarInterval, Symbol
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldKey, GoldRequest
from lake.stretch import Stretch
from trading.bars.intervals import Interval


def _run_name() -> str:
    """What the partition is called everywhere, so that a parent need not rename it."""
    given = flow_run.parameters
    words = (given["strategy"].rpartition(":")[2], str(given["interval"]))
    return run_name(given["symbol"], given["partition"], *words)


# Its result is the file. To be told so spares its process asking the server where results go.
@flow(
    name="gold-partition",
    flow_run_name=_run_name,
    persist_result=False,
)
@domain_errors_fail_run
@documented
async def gold_partition(
    symbol: Symbol,
    partition: PartitionName,
    interval: BarInterval = Interval.MINUTES_5,
    strategy: StrategyName = "vegas_channel",
    parameters: StrategySettings = NO_SETTINGS,
    as_of: AsOf = None,
    context_symbols: ContextSymbols = DEFAULT_CONTEXT,  # type: ignore[assignment]
    lake_dir: LakeDir = None,
) -> str:
    """Make the indicators and signals of one partition and write its file.

    Returns:
        The file's URL.
    """
    request = GoldRequest(
        lake_dir=lake_url(lake_dir),
        strategy=strategy,
        parameters=parameters,
        intervals=(interval,),
        symbols=(symbol,),
        as_of=as_of,
        context_symbols=context_symbols,
    )
    key = GoldKey(request.folder(interval), symbol, Stretch.of_file(partition), interval)
    url = await asyncio.to_thread(GoldDataset().compute, request, key, str(flow_run.id))
    get_run_logger().info("Wrote %s", url)
    return url
