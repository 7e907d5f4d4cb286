"""The orchestrator's work on many contracts: planned, fanned out and accounted for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fanout import Child, Outcome, Placement, RunSet, fan_out, latest_runs
from flows.analyze_symbol_flow import analyze_symbol, partition_parameters, report_progress
from flows.boundary.settings import JobPer, settings
from flows.deploy.deployments import ANALYZE_SYMBOL
from flows.runs.accounting import Account, all_done, partly_done
from flows.runs.progress import progress_artifact
from lake.grain import Grain
from lake.keys import Partition
from lake.market.inputs import open_market_data
from lake.planning import ContractPlan, plan
from storage.errors import StorageError
from trading.arrays import Timestamps
from trading.strategies.market_model.parameters import StrategyParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be done: the parameters that all contracts share.

    Attributes:
        grain: What one partition covers.
        job_per: How much runs in a job of its own.
        reprocess: Whether partitions that are up to date are due as well.
        strategy: The strategy's parameters.
        input_dir: Where the market data are.
        output_dir: Where the results are.
        only: Result files that were asked for; None for all.
    """

    grain: Grain
    job_per: str
    reprocess: bool
    strategy: StrategyParameters
    input_dir: str
    output_dir: str
    only: list[str] | None

    def plans(self, contracts: list[str]) -> list[ContractPlan]:
        """What is due of each contract."""
        return [self.plan(contract, reprocess=self.reprocess) for contract in contracts]

    def stamps(self) -> Timestamps:
        """All bars of the data, as they were planned."""
        return open_market_data(self.input_dir).timestamps()

    def plan(self, contract: str, *, reprocess: bool) -> ContractPlan:
        """What is due of one contract."""
        return plan(
            open_market_data(self.input_dir),
            contract,
            self.grain,
            self.strategy,
            self.output_dir,
            reprocess=reprocess,
            only=self.only_of(contract),
        )

    def only_of(self, contract: str) -> list[str] | None:
        """The contract's partitions that were asked for; None for all."""
        if self.only is None:
            return None
        return [file for file in self.only if file.startswith(f"{contract}/")]

    def child(self, contract: str) -> Child:
        """The run of `analyze-symbol` for a contract."""
        parameters: dict[str, Any] = {
            "contract": contract,
            "grain": self.grain.value,
            "job_per": self.job_per,
            "reprocess": self.reprocess,
            "strategy": self.strategy.model_dump(mode="json"),
            "input_dir": self.input_dir,
            "output_dir": self.output_dir,
        }
        if (only := self.only_of(contract)) is not None:
            parameters["partitions"] = only
        return Child(key=contract, name=contract, parameters=parameters, tags=(contract,))

    def done(self, children: Sequence[Child]) -> set[str]:
        """The contracts with nothing due, whatever their flow runs say."""
        return {c.key for c in children if self.still_due(c.key) == set()}

    def still_due(self, contract: str) -> set[str] | None:
        """Result files of a contract that are missing or out of date now; None if unknown."""
        try:
            return {p.relative_path for p in self.plan(contract, reprocess=False).due}
        except StorageError:
            return None  # an outage must not keep the list of what failed from whoever waits for it

    def parameters_of(self, partition: Partition) -> dict[str, object]:
        """The parameters of a partition's flow run."""
        return partition_parameters(partition, self.strategy, self.input_dir, self.output_dir)


async def fan_out_contracts(work: Work, plans: list[ContractPlan]) -> RunSet:
    """One run of `analyze-symbol` for each contract that has anything to do."""
    due = {p.contract: len(p.due) for p in plans if p.due}
    if not due:
        return RunSet(())
    placement = JobPer(work.job_per).symbol_placement
    inline = placement is Placement.INLINE
    async with progress_artifact(due) as progress:
        following = report_progress.set(progress.partitions_ended if inline else None)
        try:
            return await fan_out(
                [work.child(contract) for contract in due],
                deployment=ANALYZE_SYMBOL,
                placement=placement,
                flow=analyze_symbol if inline else None,
                policy=settings().symbol_policy(placement, max(due.values())),
                satisfied=work.done,
                on_progress=None if inline else progress.contracts_ended,
            )
        finally:
            report_progress.reset(following)


async def account(work: Work, plans: list[ContractPlan], run_set: RunSet) -> list[Account]:
    """What became of each contract's partitions, whichever process computed them."""
    results = {result.child.key: result for result in run_set.results}
    accounts = []
    for planned in plans:
        result = results.get(planned.contract)
        if result is None or result.outcome is Outcome.COMPLETED:
            accounts.append(all_done(planned))
            continue
        runs = await latest_runs(result.flow_run_id) if result.flow_run_id else {}
        still_due = await asyncio.to_thread(work.still_due, planned.contract)
        accounts.append(
            partly_done(
                planned,
                result,
                runs,
                still_due=still_due,
                reprocess=work.reprocess,
                parameters_of=work.parameters_of,
            )
        )
    return accounts
