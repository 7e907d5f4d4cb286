"""Bronze with a job per symbol: `bronze` of one symbol each, its partitions inside that job."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from prefect.artifacts import acreate_markdown_artifact

from adapters.market_data.bar_source import BarSource
from fanout import Child, ChildResult, Outcome, Placement, fan_out
from flows.boundary.errors import UnfinishedError
from flows.boundary.settings import settings
from flows.deploy.deployments import BRONZE
from flows.runs import rendering
from flows.runs.commands import run_command
from flows.runs.dataset_run import DatasetSummary, Observe
from lake.bronze.dataset import BronzeDataset
from lake.bronze.request import BronzeRequest
from lake.dataset import COMPLETE, SymbolStatus, symbol_status
from storage.errors import StorageError


@dataclass(frozen=True, slots=True)
class SymbolRuns:
    """A request, each of whose symbols is brought up to date in a job of its own.

    Attributes:
        request: What is asked for.
        sources: In the order in which to ask.
        observe: Told how many symbols have ended.
    """

    request: BronzeRequest
    sources: Sequence[BarSource]
    observe: Observe | None

    async def run(self) -> DatasetSummary:
        """Run `bronze` for each symbol with anything to do.

        Raises:
            UnfinishedError: That of a symbol did not complete.
        """
        plans = await asyncio.to_thread(self._plans)
        due = {p.symbol: len(p.due(reprocess=self.request.reprocess)) for p in plans}
        run_set = await fan_out(
            [self._child(symbol) for symbol, count in due.items() if count],
            deployment=BRONZE,
            placement=Placement.JOB,
            policy=settings().symbol_policy(Placement.JOB, max(due.values(), default=1)),
            satisfied=self._done,
            on_progress=self.observe,
        )
        return await self._accounted(plans, due, run_set.results)

    def _plans(self) -> list[SymbolStatus[Any]]:
        dataset = BronzeDataset(None)
        return [symbol_status(dataset, self.request, s) for s in self.request.symbols]

    def _child(self, symbol: str) -> Child:
        request = self.request
        parameters: dict[str, Any] = {
            "symbols": [symbol],
            "start": request.first.isoformat(),
            "end": request.last.isoformat(),
            "interval": request.interval.value,
            "sources": [source.name for source in self.sources],
            "grain": request.grain.value,
            "job_per": "run",
            "reprocess": request.reprocess,
            "lake_dir": request.lake_dir,
            "source_dir": request.source_dir,
            "timezone": request.timezone,
        }
        if request.only is not None:
            parameters["partitions"] = sorted(f for f in request.only if f"/{symbol}/" in f)
        told = {name: value for name, value in parameters.items() if value is not None}
        return Child(key=symbol, name=symbol, parameters=told, tags=(symbol,))

    def _done(self, children: Sequence[Child]) -> set[str]:
        """The symbols with nothing due, whatever their flow runs say."""
        done: set[str] = set()
        for child in children:
            try:
                status = symbol_status(BronzeDataset(None), self.request, child.key)
            except StorageError:
                continue  # what cannot be seen is done again, which costs time and is never wrong
            if not status.due(reprocess=False):
                done.add(child.key)
        return done

    async def _accounted(
        self,
        plans: Sequence[SymbolStatus[Any]],
        due: dict[str, int],
        results: Sequence[ChildResult],
    ) -> DatasetSummary:
        broken = [r for r in results if r.outcome is not Outcome.COMPLETED]
        left = {r.child.key: await asyncio.to_thread(self._left, r.child.key) for r in broken}
        failed = sum(left.values())
        total, asked = sum(map(len, plans)), sum(due.values())
        summary = DatasetSummary(
            dataset="bronze",
            total=total,
            completed=asked - failed,
            skipped=total - asked,
            failed=failed,
            orphaned=0,
        )
        failures = [
            rendering.Failure(
                partition=r.child.name,
                outcome=r.outcome.value,
                reason=r.message,
                command=run_command(BRONZE, r.child.parameters),
            )
            for r in broken
        ]
        rows = [
            (plan.symbol, len(plan), due[plan.symbol], left.get(plan.symbol, 0)) for plan in plans
        ]
        table = rendering.table(("symbol", "partitions", "due", "not done"), rows)
        await acreate_markdown_artifact(
            f"# bronze\n\n{table}",
            key=rendering.artifact_key("bronze", "summary"),
            description=f"{total} partitions: {rendering.counts_text(summary)}",
        )
        if failures:
            raise UnfinishedError(rendering.failure_message(failures, total), summary)
        return summary

    def _left(self, symbol: str) -> int:
        """How many partitions of a symbol are still missing; at least one, its run did not end."""
        request = replace(self.request, symbols=(symbol,))
        try:
            status = symbol_status(BronzeDataset(None), request, symbol)
        except StorageError:
            return 1
        return max(1, sum(state not in COMPLETE for state in status.states))
