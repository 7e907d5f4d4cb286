"""What became of a contract's partitions, from the plan before the fan-out and what came after."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from prefect.client.schemas.objects import FlowRun, StateType

from fanout import ChildResult
from flows.runs.commands import redo_partition
from flows.runs.rendering import Cell, Failure
from lake.dataset import SymbolStatus
from lake.keys import Partition
from lake.market.dataset import RESULTS
from lake.market.request import MarketRequest


@dataclass(frozen=True, slots=True)
class Account:
    """One contract's partitions, accounted for.

    Attributes:
        contract: The contract's name.
        total: All its partitions.
        skipped: Up to date before the run.
        due: Result files of the partitions that were to be computed.
        failures: Those of them that are not done, by result file.
    """

    contract: str
    total: int
    skipped: int
    due: frozenset[str]
    failures_by_file: Mapping[str, Failure]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """The partitions that are not done."""
        return tuple(self.failures_by_file.values())

    @property
    def failed(self) -> int:
        """How many partitions are not done."""
        return len(self.failures_by_file)

    @property
    def completed(self) -> int:
        """How many partitions this run computed."""
        return len(self.due) - self.failed

    def cells(
        self, partitions: Sequence[Partition], only: Collection[str] | None = None
    ) -> list[Cell]:
        """The status of each of the contract's partitions.

        Args:
            partitions: All of them.
            only: Result files that were asked for; None for all.
        """
        asked = None if only is None else frozenset(only)
        return [self._cell(partition.relative_path, asked) for partition in partitions]

    def _cell(self, file: str, asked: frozenset[str] | None) -> Cell:
        if asked is not None and file not in asked:
            return Cell.LEFT_OUT
        if file in self.failures_by_file:
            return Cell.FAILED
        return Cell.COMPLETED if file in self.due else Cell.SKIPPED


def all_done(planned: SymbolStatus[Partition], request: MarketRequest) -> Account:
    """The account of a contract whose run completed, or that had nothing to do."""
    return _account(planned, request, {})


def partly_done(
    planned: SymbolStatus[Partition],
    request: MarketRequest,
    symbol: ChildResult,
    runs: Mapping[str, FlowRun],
    still_due: set[str] | None,
) -> Account:
    """The account of a contract whose run did not complete.

    Args:
        planned: What was there before.
        request: What was asked for. When partitions were to be redone although they were up to
            date, only a completed run shows that one was.
        symbol: How the contract's run ended.
        runs: The latest flow run of each partition, by result file.
        still_due: Result files that are missing or out of date now; None when they cannot be
            looked at, and the flow runs alone tell what was done.
    """
    failures = {}
    for partition in planned.due(reprocess=request.reprocess):
        file = partition.relative_path
        run = runs.get(file)
        redone = run is not None and run.state_type is StateType.COMPLETED
        there = redone if still_due is None else file not in still_due
        if there and (redone or not request.reprocess):
            continue
        failures[file] = Failure(
            partition=partition.label,
            outcome=_outcome(run, redone=redone),
            reason=_reason(run, symbol),
            command=redo_partition(RESULTS.parameters(request, partition)),
        )
    return _account(planned, request, failures)


def _account(
    planned: SymbolStatus[Partition], request: MarketRequest, failures: Mapping[str, Failure]
) -> Account:
    due = frozenset(p.relative_path for p in planned.due(reprocess=request.reprocess))
    return Account(planned.symbol, len(planned), len(planned) - len(due), due, failures)


def _outcome(run: FlowRun | None, *, redone: bool) -> str:
    if run is None:
        return "not run"
    return "result missing" if redone else (run.state_name or "unknown").lower()


def _reason(run: FlowRun | None, symbol: ChildResult) -> str:
    if run is None or run.state is None:
        return f"Its contract's run {symbol.outcome.value}: {symbol.message}"
    return run.state.message or ""
