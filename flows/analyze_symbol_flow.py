"""`analyze-symbol`: every partition of one contract that is not up to date, each a flow run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from fanout import Child, Placement, Progress, RunSet, fan_out
from flows.analyze_time_partition_flow import analyze_time_partition
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, fails_plainly
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
    input_url,
    output_url,
)
from flows.boundary.settings import settings
from flows.deploy.deployments import ANALYZE_TIME_PARTITION
from flows.runs import rendering
from flows.runs.commands import redo_partition
from lake.grain import Grain
from lake.keys import Partition
from lake.market.inputs import MarketData, open_market_data
from lake.planning import ContractPlan, plan
from storage.checks import check_writable
from storage.directory import open_directory
from storage.errors import StorageError
from trading.strategies.market_model.parameters import StrategyParameters

ProgressReport = Callable[[str, int], Awaitable[None]]

report_progress: ContextVar[ProgressReport | None] = ContextVar("report_progress", default=None)
"""Set by an orchestrator in whose process this flow runs: told a contract and how many of its
partitions have ended."""


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


@flow(name="analyze-symbol", flow_run_name="{contract}")
@fails_plainly
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
    """Compute the partitions of one contract whose inputs or parameters changed, or all of them.

    Ends Failed when a partition failed, after all others have been tried.
    """
    source, target = input_url(input_dir), output_url(output_dir)
    work = _Work(contract, grain, strategy, source, target, partitions)
    planned = await asyncio.to_thread(work.plan, reprocess=reprocess)
    # Last of the checks: it makes the directory, which wrong input should not.
    await asyncio.to_thread(
        check_writable, open_directory(work.output_dir, "output_dir"), "output_dir"
    )
    placement = (job_per or settings().job_per).partition_placement
    run_set = await fan_out(
        [work.child(partition) for partition in planned.due],
        deployment=ANALYZE_TIME_PARTITION,
        placement=placement,
        flow=analyze_time_partition if placement is Placement.INLINE else None,
        policy=settings().partition_policy(placement),
        satisfied=work.done,
        on_progress=work.report,
    )
    summary = SymbolSummary(
        contract,
        total=planned.total,
        completed=len(run_set.completed),
        skipped=planned.current,
        failed=len(run_set.unfinished),
    )
    failures = _failures(run_set)
    await acreate_markdown_artifact(
        rendering.symbol_summary(
            contract, summary, failures, rendering.places_text(source, target)
        ),
        key=rendering.artifact_key("symbol", contract),
        description=f"{contract}: {rendering.counts_text(summary)}",
    )
    get_run_logger().info("%s: %s", contract, rendering.counts_text(summary))
    if failures:
        raise UnfinishedError(rendering.failure_message(failures, summary.total), summary)
    return summary


def _failures(run_set: RunSet) -> list[rendering.Failure]:
    return [
        rendering.Failure(
            partition=result.child.name,
            outcome=result.outcome.value,
            reason=result.message,
            command=redo_partition(result.child.parameters),
        )
        for result in run_set.unfinished
    ]


@dataclass(frozen=True, slots=True)
class _Work:
    """One contract's work: what its parameters mean, in terms of partitions."""

    contract: str
    grain: Grain
    strategy: StrategyParameters
    input_dir: str
    output_dir: str
    only: list[str] | None

    def plan(self, *, reprocess: bool) -> ContractPlan:
        market: MarketData = open_market_data(self.input_dir)
        market.check_known(self.contract)
        return plan(
            market,
            self.contract,
            self.grain,
            self.strategy,
            self.output_dir,
            reprocess=reprocess,
            only=self.only,
        )

    def child(self, partition: Partition) -> Child:
        return Child(
            key=partition.relative_path,
            name=partition.label,
            parameters=partition_parameters(
                partition, self.strategy, self.input_dir, self.output_dir
            ),
            tags=(self.contract,),
        )

    def done(self, children: Sequence[Child]) -> set[str]:
        """The children whose result is there and up to date, whatever their flow runs say."""
        try:
            due = {partition.relative_path for partition in self.plan(reprocess=False).due}
        except StorageError:
            return set()  # what cannot be seen is made again, which costs time and is never wrong
        return {child.key for child in children} - due

    async def report(self, progress: Progress) -> None:
        if report := report_progress.get():
            await report(self.contract, progress.done)


def partition_parameters(
    partition: Partition, strategy: StrategyParameters, input_dir: str, output_dir: str
) -> dict[str, object]:
    """The parameters of the flow run that computes `partition`, as the API takes them."""
    return {
        "contract": partition.contract,
        "timestamp": partition.timestamp,
        "grain": partition.grain.value,
        "strategy": strategy.model_dump(mode="json"),
        "input_dir": input_dir,
        "output_dir": output_dir,
    }
