"""`analyze-symbol`: every partition of one contract that is not up to date, each a flow run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from prefect import Flow, flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from fanout import Progress
from flows.analyze_time_partition_flow import analyze_time_partition
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.parameters import (
    DEFAULT_STRATEGY,
    ContractName,
    InputDir,
    JobPerChoice,
    OutputDir,
    PartitionFiles,
    PartitionGrain,
    Reprocess,
    Strategy,
    input_directory,
    output_directory,
)
from flows.boundary.settings import JobPer, settings
from flows.deploy.deployments import ANALYZE_TIME_PARTITION
from flows.runs import rendering
from flows.runs.commands import DEFAULTS
from flows.runs.dataset_run import DatasetRun, Leaf
from lake.dataset import SymbolStatus
from lake.grain import Grain
from lake.keys import Partition
from lake.market.dataset import RESULTS
from lake.market.request import MarketRequest

LEAF = Leaf(ANALYZE_TIME_PARTITION, analyze_time_partition, DEFAULTS)


@dataclass(frozen=True, slots=True)
class SymbolSummary:
    """What became of one contract's partitions.

    Attributes:
        contract: The contract's name.
        total: Partitions of the contract.
        completed: Computed by this run.
        skipped: Up to date before it.
        failed: Neither.
    """

    contract: str
    total: int
    completed: int
    skipped: int
    failed: int


@dataclass(frozen=True, slots=True)
class HandedPlans:
    """What an orchestrator hands the runs of its contracts that execute in its process.

    Attributes:
        plans: What is there of each contract, by its name. Each is taken once: a further attempt
            looks for itself what the one before has left.
        observe: Told of a contract how many of its partitions have ended.
    """

    plans: dict[str, SymbolStatus[Partition]]
    observe: Callable[[str, Progress], Awaitable[None]]


def analyze_symbol_flow(handed: HandedPlans | None = None) -> Flow[..., Awaitable[Any]]:
    """The flow, for runs of an orchestrator in this process or for any.

    Args:
        handed: What the orchestrator knows; None when each run is to plan for itself.
    """

    @flow(name="analyze-symbol", flow_run_name="{contract}")
    @domain_errors_fail_run
    @documented
    async def analyze_symbol(
        contract: ContractName,
        grain: PartitionGrain = Grain.BAR,
        job_per: JobPerChoice = None,
        reprocess: Reprocess = False,
        strategy: Strategy = DEFAULT_STRATEGY,
        input_dir: InputDir = None,
        output_dir: OutputDir = None,
        partitions: PartitionFiles = None,
    ) -> SymbolSummary:
        """Compute the partitions of a contract whose inputs or parameters changed, or all of them.

        Ends Failed when a partition failed, after all others have been tried.
        """
        request = MarketRequest(
            input_dir=input_directory(input_dir),
            output_dir=output_directory(output_dir),
            contracts=(contract,),
            grain=grain,
            strategy=strategy,
            only=None if partitions is None else frozenset(partitions),
            reprocess=reprocess,
        )
        return await _analyzed(contract, request, job_per or settings().job_per, handed)

    return analyze_symbol


analyze_symbol = analyze_symbol_flow()


async def _analyzed(
    contract: str, request: MarketRequest, job_per: JobPer, handed: HandedPlans | None
) -> SymbolSummary:
    placement = job_per.partition_placement
    run = DatasetRun(
        dataset=RESULTS,
        request=request,
        leaf=LEAF,
        placement=placement,
        policy=settings().partition_policy(placement),
        observe=partial(handed.observe, contract) if handed else None,
        output=request.output_dir,
    )
    planned = handed.plans.pop(contract, None) if handed else None
    plans = await run.planned() if planned is None else [planned]
    run_set = await run.fan_out(plans)
    total = sum(map(len, plans))
    summary = SymbolSummary(
        contract,
        total=total,
        completed=len(run_set.completed),
        skipped=total - len(run_set.results),
        failed=len(run_set.unfinished),
    )
    failures = run.failures(run_set)
    places = rendering.places_text(request.input_dir.location, request.output_dir.location)
    await acreate_markdown_artifact(
        rendering.symbol_summary(contract, summary, failures, places),
        key=rendering.artifact_key("symbol", contract),
        description=f"{contract}: {rendering.counts_text(summary)}",
    )
    get_run_logger().info("%s: %s", contract, rendering.counts_text(summary))
    if failures:
        raise UnfinishedError(rendering.failure_message(failures, summary.total), summary)
    return summary
