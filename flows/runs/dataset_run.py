"""One run of a dataset: what is due is planned, fanned out and accounted for.

Every partition that is due becomes a flow run of its own, a child of the run that calls this.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from prefect import Flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from fanout import Child, ChildResult, FanOutPolicy, Outcome, Placement, Progress, fan_out
from flows.boundary.errors import UnfinishedError
from flows.runs import rendering
from flows.runs.commands import run_command
from lake.dataset import Dataset, K, R, SymbolStatus, symbol_status
from storage.errors import StorageError

Observe = Callable[[Progress], Awaitable[None]]
"""Told in the process of a run how many of its partitions have ended."""


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What a run of a dataset came to.

    Attributes:
        dataset: The dataset's name.
        total: Partitions that the request asks for.
        completed: Computed by this run.
        skipped: Up to date before it.
        failed: Neither.
        orphaned: Result files that nothing asks for.
    """

    dataset: str
    total: int
    completed: int
    skipped: int
    failed: int
    orphaned: int


@dataclass(frozen=True, slots=True)
class Leaf:
    """The flow that computes one partition of a dataset.

    Attributes:
        deployment: Its deployment's full name, `flow/deployment`.
        flow: The flow itself, for runs in this process.
    """

    deployment: str
    flow: Flow[..., Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRun(Generic[R, K]):
    """How one dataset is brought up to date.

    Attributes:
        dataset: The dataset.
        request: What is asked for.
        leaf: What computes one partition.
        placement: Where partitions execute.
        policy: Limits of the fan-out.
        observe: Told of progress inside this process.
    """

    dataset: Dataset[R, K]
    request: R
    leaf: Leaf
    placement: Placement
    policy: FanOutPolicy
    observe: Observe | None = None

    async def run(self) -> DatasetSummary:
        """Compute what is due, and publish what the run came to.

        Raises:
            UnfinishedError: A partition is not done; all others have been tried.
            ParameterError, DataError, StorageError: It cannot be planned.
        """
        plans = await asyncio.to_thread(self.plans)
        children = [self._child(key) for p in plans for key in p.due(reprocess=self._again)]
        ended = await fan_out(
            children,
            deployment=self.leaf.deployment,
            placement=self.placement,
            flow=self.leaf.flow if self.placement is Placement.INLINE else None,
            policy=self.policy,
            satisfied=self._done,
            on_progress=self.observe,
        )
        return await self._published(plans, ended.results)

    def plans(self) -> list[SymbolStatus[K]]:
        """The status of every symbol's partitions."""
        symbols = self.dataset.symbols(self.request)
        return [symbol_status(self.dataset, self.request, symbol) for symbol in symbols]

    @property
    def _again(self) -> bool:
        return self.request.reprocess

    def _child(self, key: K) -> Child:
        return Child(
            key=key.relative_path,
            name=key.label,
            parameters=self.dataset.parameters(self.request, key),
            tags=(key.symbol,),
        )

    def _done(self, children: Sequence[Child]) -> set[str]:
        """Those of the children whose result is there, whatever their flow runs say."""
        done: set[str] = set()
        for symbol in sorted({child.tags[0] for child in children}):
            try:
                status = symbol_status(self.dataset, self.request, symbol)
            except StorageError:
                continue  # what cannot be seen is made again, which costs time and is never wrong
            due = {key.relative_path for key in status.due(reprocess=False)}
            done |= {key.relative_path for key in status.keys} - due
        return done & {child.key for child in children}

    async def _published(
        self, plans: Sequence[SymbolStatus[K]], results: Sequence[ChildResult]
    ) -> DatasetSummary:
        failures = [self._failure(r) for r in results if r.outcome is not Outcome.COMPLETED]
        total = sum(map(len, plans))
        summary = DatasetSummary(
            dataset=self.dataset.name,
            total=total,
            completed=len(results) - len(failures),
            skipped=total - len(results),
            failed=len(failures),
            orphaned=sum(len(plan.orphans) for plan in plans),
        )
        text = rendering.counts_text(summary)
        await acreate_markdown_artifact(
            rendering.dataset_summary(self.dataset.name, summary, _cells(plans, results), failures),
            key=rendering.artifact_key(self.dataset.name, "summary"),
            description=f"{total} partitions: {text}",
        )
        get_run_logger().info("%s: %d partitions: %s", self.dataset.name, total, text)
        if failures:
            raise UnfinishedError(rendering.failure_message(failures, total), summary)
        return summary

    def _failure(self, result: ChildResult) -> rendering.Failure:
        return rendering.Failure(
            partition=result.child.name,
            outcome=result.outcome.value,
            reason=result.message,
            command=run_command(self.leaf.deployment, result.child.parameters),
        )


def _cells(
    plans: Sequence[SymbolStatus[K]], results: Sequence[ChildResult]
) -> dict[str, dict[str, rendering.Cell]]:
    """By symbol, what became of each partition, by the partition's name without the symbol."""
    cell = {
        r.child.key: rendering.Cell.COMPLETED
        if r.outcome is Outcome.COMPLETED
        else rendering.Cell.FAILED
        for r in results
    }
    return {
        plan.symbol: {
            key.label.removeprefix(f"{key.symbol} "): cell.get(
                key.relative_path, rendering.Cell.SKIPPED
            )
            for key in plan.keys
        }
        for plan in plans
    }
