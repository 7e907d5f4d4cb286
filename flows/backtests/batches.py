"""A sweep's fan-out: several parameter sets of one account in one flow run."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fanout import Child, ChildResult, Outcome, Placement, Progress, RunSet, fan_out
from flows.runs.dataset_run import DatasetRun
from lake.backtests.dataset import BacktestDataset
from lake.backtests.request import BacktestKey, BacktestRequest
from lake.dataset import SymbolStatus
from lake.planning import still_due

MOST_BYTES = 200_000
"""Most bytes of the sets of one run: they are its parameters, of which the server takes half a
megabyte."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some sets of one account, and the flow run that tries them."""

    keys: tuple[BacktestKey, ...]
    child: Child


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchedRun(DatasetRun[BacktestRequest, BacktestKey]):
    """A run of the backtests whose flow runs cover several partitions each.

    Planned, skipped and accounted for is each set on its own: one that fails leaves the others of
    its batch done.

    Attributes:
        dataset: The backtests.
        batch: How many sets one flow run covers.
    """

    dataset: BacktestDataset
    batch: int

    async def fan_out(self, plans: Sequence[SymbolStatus[BacktestKey]]) -> RunSet:
        """One flow run for each batch of sets that are due, and what became of each set."""
        again = self.request.reprocess
        batches = {
            one.child.key: one
            for planned in plans
            for one in self._batches(planned.due(reprocess=again))
        }
        observe = self.observe

        async def told(progress: Progress) -> None:
            if observe is not None:
                await observe(_of_sets(progress, list(batches.values())))

        run_set = await fan_out(
            [one.child for one in batches.values()],
            deployment=self.leaf.deployment,
            placement=self.placement,
            flow=self.leaf.flow if self.placement is Placement.INLINE else None,
            policy=self.policy,
            satisfied=lambda children: self._satisfied([batches[c.key] for c in children]),
            on_progress=told,
        )
        results: list[ChildResult] = []
        for result in run_set.results:
            results += self._of_each_set(batches[result.child.key], result)
        return RunSet(tuple(results))

    def _batches(self, keys: Sequence[BacktestKey]) -> list[Batch]:
        made: list[Batch] = []
        size = self.batch
        if keys:
            largest = max(len(key.parameters.model_dump_json()) for key in keys if key.parameters)
            size = max(1, min(size, MOST_BYTES // largest))
        for first in range(0, len(keys), size):
            part = tuple(keys[first : first + size])
            if len(part) == 1:
                made.append(Batch(part, self._child(part[0])))
                continue
            name = f"{part[0].label} and {len(part) - 1} more"
            parameters = self.dataset.batch_parameters(self.request, part)
            child = Child(
                key=f"{part[0].relative_path} {part[-1].fingerprint} {len(part)}",
                name=name,
                parameters=parameters,
                tags=(part[0].symbol,),
            )
            made.append(Batch(part, child))
        return made

    def _satisfied(self, batches: Sequence[Batch]) -> set[str]:
        """Those of the batches all of whose results are there."""
        done = set()
        for symbol in {one.keys[0].symbol for one in batches}:
            due = still_due(self.dataset, self.request, symbol)
            if due is not None:
                done |= {
                    one.child.key
                    for one in batches
                    if one.keys[0].symbol == symbol
                    and due.isdisjoint(key.relative_path for key in one.keys)
                }
        return done

    def _of_each_set(self, one: Batch, result: ChildResult) -> list[ChildResult]:
        """What became of a batch, set by set: what is stored is done, whatever its run says."""
        due: set[str] = set()
        if result.outcome is not Outcome.COMPLETED:
            found = still_due(self.dataset, self.request, one.keys[0].symbol)
            due = {key.relative_path for key in one.keys} if found is None else found
        return [
            replace(
                result,
                child=self._child(key),
                outcome=result.outcome if key.relative_path in due else Outcome.COMPLETED,
                message=_own_message(key, result.message),
            )
            for key in one.keys
        ]


def _own_message(key: BacktestKey, message: str) -> str:
    """Of the lines of a batch's message, that about one set; all of it where there is none."""
    own = [line for line in message.splitlines() if line.startswith(f"{key.label}: ")]
    return own[0].removeprefix(f"{key.label}: ") if own else message


def _of_sets(progress: Progress, batches: Sequence[Batch]) -> Progress:
    """Progress by sets: batches are about as large as each other."""
    total = sum(len(one.keys) for one in batches)
    share = total / len(batches)
    ended = {outcome: round(count * share) for outcome, count in progress.ended.items()}
    return Progress(total, Counter(ended))
