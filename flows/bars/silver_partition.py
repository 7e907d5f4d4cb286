"""`silver-partition`: the bars of one symbol and session, month or year."""

import asyncio
from typing import Annotated, Literal

from prefect import flow
from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import Field

from flows.bars.layer_parameters import AsOf, PartitionName, Sources, run_name
from flows.bars.parameters import Symbol
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import LakeDir, lake_url
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from lake.stretch import Stretch, StretchKey

DATASETS = {dataset.name: dataset for dataset in (SilverDataset(), SilverDaysDataset())}
"""What silver is made of: bars within sessions, and bars over sessions."""


def _run_name() -> str:
    """What the partition is called everywhere, so that a parent need not rename it."""
    parameters = flow_run.parameters
    return run_name(parameters["symbol"], parameters["partition"])


# Its result is the file. To be told so spares its process asking the server where results go.
@flow(name="silver-partition", flow_run_name=_run_name, persist_result=False)
@domain_errors_fail_run
@documented
async def silver_partition(
    symbol: Symbol,
    partition: PartitionName,
    dataset: Annotated[
        Literal["silver", "silver_days"],
        Field(description="Bars within sessions, or over sessions.", examples=["silver"]),
    ] = "silver",
    sources: Sources = None,
    as_of: AsOf = None,
    lake_dir: LakeDir = None,
) -> str:
    """Make the bars of one partition and write its file, whatever is there already.

    Returns:
        The file's URL.
    """
    request = SilverRequest(
        lake_dir=lake_url(lake_dir), symbols=(symbol,), sources=tuple(sources or ()), as_of=as_of
    )
    key = StretchKey(dataset, symbol, Stretch.of_file(partition))
    made = DATASETS[dataset]
    url = await asyncio.to_thread(made.compute, request, key, str(flow_run.id))
    get_run_logger().info("Wrote %s", url)
    return url
