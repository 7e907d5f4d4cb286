"""One run of a dataset: what is due is planned, fanned out and accounted for.

Every partition that is due becomes a flow run of its own, a child of the run that calls this.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from prefect import Flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from fanout import (
    Child,
    ChildResult,
    FanOutPolicy,
    Outcome,
    Placement,
    Progress,
    RunSet,
    fan_out,
)
from flows.boundary.errors import UnfinishedError
from flows.runs import rendering
from flows.runs.commands import non_default_parameters, run_command
from lake.dataset import Dataset, K, R, SymbolStatus
from lake.planning import make_ready, plan, still_due
from storage.directory import Directory

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
        defaults: Values of its parameters that the commands in messages leave out.
    """

    deployment: str
    flow: Flow[..., Any]
    defaults: Mapping[str, object] = field(default_factory=dict)

    def command(self, parameters: Mapping[str, Any]) -> str:
        """The command that computes a partition again, given its flow run's parameters."""
        return run_command(self.deployment, non_default_parameters(parameters, self.defaults))


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
        output: Where results go: made sure of that they can be written, before anything is
            submitted. None when somebody else has.
    """

    dataset: Dataset[R, K]
    request: R
    leaf: Leaf
    placement: Placement
    policy: FanOutPolicy
    observe: Observe | None = None
    output: Directory | None = None

    async def run(self) -> DatasetSummary:
        """Compute what is due, and publish what the run came to.

        Raises:
            UnfinishedError: A partition is not done; all others have been tried.
            ParameterError, DataError, StorageError: It cannot be planned.
        """
        plans = await self.planned()
        return await self._published(plans, await self.fan_out(plans))

    async def planned(self) -> list[SymbolStatus[K]]:
        """The status of every symbol's partitions, once results can be written.

        Raises:
            ParameterError, DataError, StorageError: It cannot be planned.
        """
        plans = await asyncio.to_thread(plan, self.dataset, self.request)
        if self.output is not None:
            await asyncio.to_thread(make_ready, self.output, plans)
        return plans

    async def fan_out(self, plans: Sequence[SymbolStatus[K]]) -> RunSet:
        """One flow run for each partition that is due, and what became of it."""
        again = self.request.reprocess
        return await fan_out(
            [self._child(key) for planned in plans for key in planned.due(reprocess=again)],
            deployment=self.leaf.deployment,
            placement=self.placement,
            flow=self.leaf.flow if self.placement is Placement.INLINE else None,
            policy=self.policy,
            satisfied=self._done,
            on_progress=self.observe,
        )

    def failures(self, run_set: RunSet) -> list[rendering.Failure]:
        """The partitions that are not done, and the command that redoes each."""
        return [
            rendering.Failure(
                partition=result.child.name,
                outcome=result.outcome.value,
                reason=result.message,
                command=self.leaf.command(result.child.parameters),
            )
            for result in run_set.unfinished
        ]

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
            due = still_due(self.dataset, self.request, symbol)
            if due is not None:
                done |= {child.key for child in children if child.tags[0] == symbol} - due
        return done

    async def _published(self, plans: Sequence[SymbolStatus[K]], run_set: RunSet) -> DatasetSummary:
        failures = self.failures(run_set)
        total, tried = sum(map(len, plans)), len(run_set.results)
        summary = DatasetSummary(
            dataset=self.dataset.name,
            total=total,
            completed=tried - len(failures),
            skipped=total - tried,
            failed=len(failures),
            orphaned=sum(len(planned.orphans) for planned in plans),
        )
        text = rendering.counts_text(summary)
        cells = _cells(plans, run_set.results)
        await acreate_markdown_artifact(
            rendering.dataset_summary(self.dataset.name, summary, cells, failures),
            key=rendering.artifact_key(self.dataset.name, "summary"),
            description=f"{total} partitions: {text}",
        )
        get_run_logger().info("%s: %d partitions: %s", self.dataset.name, total, text)
        if failures:
            raise UnfinishedError(rendering.failure_message(failures, total), summary)
        return summary


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
