"""The orchestrator's work on many contracts: fanned out and accounted for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fanout import Child, Outcome, Placement, Progress, RunSet, fan_out, latest_runs
from flows.analyze_symbol_flow import HandedPlans, analyze_symbol_flow
from flows.boundary.settings import JobPer, settings
from flows.deploy.deployments import ANALYZE_SYMBOL
from flows.runs.accounting import Account, all_done, partly_done
from flows.runs.progress import FanOutProgress, Observer, progress_artifact
from lake.dataset import SymbolStatus
from lake.keys import Partition
from lake.market.dataset import RESULTS
from lake.market.request import MarketRequest
from lake.planning import still_due

Plans = Sequence[SymbolStatus[Partition]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractWork:
    """What is to be done, a run of `analyze-symbol` for each contract.

    Attributes:
        request: What is asked for.
        job_per: How much runs in a job of its own.
        observer: Who follows it inside this process.
    """

    request: MarketRequest
    job_per: JobPer
    observer: Observer | None = None

    async def fan_out(self, plans: Plans) -> RunSet:
        """One run of `analyze-symbol` for each contract that has anything to do."""
        due = {p.symbol: n for p in plans if (n := len(p.due(reprocess=self.request.reprocess)))}
        if self.observer is not None:
            self.observer.planned(due)
        if not due:
            return RunSet(())
        placement = self.job_per.symbol_placement
        inline = placement is Placement.INLINE
        async with progress_artifact(due) as progress:
            return await fan_out(
                [self.child(contract) for contract in due],
                deployment=ANALYZE_SYMBOL,
                placement=placement,
                flow=analyze_symbol_flow(self._handed(plans, progress)) if inline else None,
                policy=settings().symbol_policy(placement, max(due.values())),
                satisfied=self.done,
                on_progress=None if inline else progress.contracts_ended,
            )

    def _handed(self, plans: Plans, progress: FanOutProgress) -> HandedPlans:
        async def observe(contract: str, partitions: Progress) -> None:
            if self.observer is not None:
                self.observer.ended(contract, partitions)
            await progress.partitions_ended(contract, partitions.done)

        return HandedPlans({planned.symbol: planned for planned in plans}, observe)

    def child(self, contract: str) -> Child:
        """The run of `analyze-symbol` for a contract."""
        of_one = self.request.of(contract)
        parameters: dict[str, object] = {
            "contract": contract,
            "job_per": self.job_per.value,
            "reprocess": of_one.reprocess,
            **of_one.parameters(),
        }
        if of_one.only is not None:
            parameters["partitions"] = sorted(of_one.only)
        return Child(key=contract, name=contract, parameters=parameters, tags=(contract,))

    def done(self, children: Sequence[Child]) -> set[str]:
        """The contracts with nothing due, whatever their flow runs say."""
        return {child.key for child in children if self.still_due(child.key) == set()}

    def still_due(self, contract: str) -> set[str] | None:
        """Result files of a contract that are missing or out of date now; None if unknown."""
        return still_due(RESULTS, self.request.of(contract), contract)

    async def account(self, plans: Plans, run_set: RunSet) -> list[Account]:
        """What became of each contract's partitions, whichever process computed them."""
        results = {result.child.key: result for result in run_set.results}
        accounts = []
        for planned in plans:
            result = results.get(planned.symbol)
            if result is None or result.outcome is Outcome.COMPLETED:
                accounts.append(all_done(planned, self.request))
                continue
            runs = await latest_runs(result.flow_run_id) if result.flow_run_id else {}
            left = await asyncio.to_thread(self.still_due, planned.symbol)
            accounts.append(partly_done(planned, self.request, result, runs, left))
        return accounts
