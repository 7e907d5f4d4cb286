"""`silver`: every silver partition whose bronze, hours or version changed, each a flow run."""

import asyncio
from typing import Any

from prefect import flow

from flows.bars.layer import LayerSummary, run_datasets
from flows.bars.layer_parameters import (
    AsOf,
    FirstDate,
    LakeFiles,
    LastDate,
    Sources,
    Symbols,
    moment,
)
from flows.bars.silver_partition import DATASETS, silver_partition
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.boundary.parameters import JobPerChoice, LakeDir, Reprocess, lake_url
from flows.boundary.settings import settings
from flows.deploy.deployments import SILVER_PARTITION
from flows.runs.dataset_run import DatasetRun, Leaf
from flows.runs.observing import observer
from lake.silver.request import SilverRequest
from storage.checks import check_writable


@flow(name="silver", flow_run_name="silver")
@domain_errors_fail_run
@documented
async def silver(
    symbols: Symbols = None,
    first: FirstDate = None,
    last: LastDate = None,
    sources: Sources = None,
    as_of: AsOf = None,
    job_per: JobPerChoice = None,
    reprocess: Reprocess = False,
    partitions: LakeFiles = None,
    lake_dir: LakeDir = None,
) -> LayerSummary:
    """Make bars of all intervals, within sessions and over sessions, that are not up to date.

    Ends Failed when a partition failed, after all others have been tried.
    """
    request = SilverRequest(
        lake_dir=lake_url(lake_dir),
        symbols=tuple(symbols or ()),
        sources=tuple(sources or ()),
        first=first,
        last=last,
        as_of=moment(as_of),
        reprocess=reprocess,
        only=None if partitions is None else frozenset(partitions),
    )
    await asyncio.to_thread(check_writable, request.lake, "lake_dir")
    placement = (job_per or settings().job_per).partition_placement
    runs: list[DatasetRun[Any, Any]] = [
        DatasetRun(
            dataset=dataset,
            request=request,
            leaf=Leaf(SILVER_PARTITION, silver_partition),
            placement=placement,
            policy=settings().partition_policy(placement),
            observe=observer.get(),
        )
        for dataset in DATASETS.values()
        if _asked(request, dataset.name)
    ]
    return await run_datasets(runs)


def _asked(request: SilverRequest, dataset: str) -> bool:
    """Whether a request asks for anything of a dataset; symbols without minutes have days alone."""
    if request.only is not None:
        return any(name.startswith(f"{dataset}/") for name in request.only)
    return True
