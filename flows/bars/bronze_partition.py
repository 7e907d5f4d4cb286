"""`bronze-partition`: raw bars of one symbol and stretch of time into the lake."""

import asyncio
from typing import Annotated, Any

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from adapters.market_data.sources import SourceName
from flows.bars.parameters import BarInterval, SourceDir, Symbol, Timezone, source_of
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from lake.bronze.dataset import BronzeDataset, bronze_key
from lake.bronze.partition import PartitionSummary
from lake.bronze.request import BronzeRequest
from trading.bars.intervals import Interval
from trading.errors import ParameterError, shown


def run_name(symbol: str, partition: str, interval: Interval, source: str) -> str:
    """`AAPL 2024-01-02 1m synthetic`; what was passed, when it names no partition."""
    try:
        return bronze_key(symbol, partition, interval, source).label
    except ParameterError:
        return f"{symbol} {shown(partition)} {interval} {source}"


def _run_name() -> str:
    given: dict[str, Any] = flow_run.parameters
    interval, source = Interval(given["interval"]), SourceName(given["source"])
    return run_name(given["symbol"], given["partition"], interval, source.value)


@flow(name="bronze-partition", flow_run_name=_run_name, persist_result=False)
@domain_errors_fail_run
@documented
async def bronze_partition(
    symbol: Symbol,
    partition: Annotated[
        str,
        Field(
            description="The session, month or year, as its file is called.",
            examples=["20240102"],
        ),
    ],
    interval: BarInterval = Interval.MINUTE,
    source: Annotated[
        SourceName, Field(description="The source of the bars.", examples=["polygon"])
    ] = SourceName.SYNTHETIC,
    lake_dir: LakeDir = None,
    source_dir: SourceDir = None,
    timezone: Timezone = None,
) -> PartitionSummary:
    """Fetch, check and store one partition, whatever is there already.

    What cannot be true is refused: nothing of it is stored, and a gap stays open. Bars that are
    stored already and come again leave the file as it is.
    """
    key = bronze_key(symbol, partition, interval, source.value)
    dataset = BronzeDataset(await source_of(source, source_dir, timezone))
    request = BronzeRequest(
        source=source.value,
        interval=interval,
        symbols=(symbol,),
        first=key.stretch.first,
        last=key.stretch.last,
        grain=key.stretch.grain,
        lake_dir=lake_url(lake_dir),
        source_dir=source_dir,
        timezone=timezone,
    )
    summary = await asyncio.to_thread(dataset.compute, request, key, str(flow_run.id))
    get_run_logger().info("%s", summary.sentence)
    for warning in summary.warnings:
        get_run_logger().warning("%s: %s", summary.label, warning)
    return summary
