"""What is due: the partitions of a contract whose stored result is missing or out of date."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lake.grain import Grain
from lake.keys import Partition, partitions
from lake.market.inputs import MarketData, check_contract
from lake.status import PartitionStatus, partition_states
from storage.directory import open_directory
from trading.errors import ParameterError
from trading.strategies.market_model.parameters import StrategyParameters


@dataclass(frozen=True, slots=True)
class ContractPlan:
    """What is to be done for one contract.

    Attributes:
        contract: The contract's name.
        due: Partitions to compute, in the order of time.
        current: How many partitions are up to date.
        total: How many partitions there are.
    """

    contract: str
    due: list[Partition]
    current: int
    total: int


def plan(
    market: MarketData,
    contract: str,
    grain: Grain,
    strategy: StrategyParameters,
    output_dir: str,
    *,
    reprocess: bool,
    only: Collection[str] | None = None,
) -> ContractPlan:
    """Compare the fingerprints of a contract's partitions with those of the stored results.

    Reads the contract's whole column once, and of each stored result the end. Removes what
    writers of the contract's results that were killed have left.

    Args:
        market: The input.
        contract: The contract's name.
        grain: What one partition covers.
        strategy: The strategy's parameters.
        output_dir: Where results are kept.
        reprocess: Whether what is up to date is due as well.
        only: Result files of the contract to plan for, relative to `output_dir`; None for all.

    Raises:
        ParameterError: The contract is unknown, `output_dir` is not usable, or `only` names a
            file that is no partition's.
        DataError: The contract has no prices, or the data are out of order.
        StorageError: Input or results cannot be accessed.
    """
    directory = open_directory(output_dir, "output_dir")
    directory.remove_leftovers(contract)
    bars = market.bars(contract, 0, market.rows, strategy)
    check_contract(bars)
    every = partitions(bars.timestamps, contract, grain)
    if only is not None:
        every = _selected(every, only, grain)
    if reprocess:
        return ContractPlan(contract, every, 0, len(every))
    states = partition_states(directory, bars, every, strategy)
    due = [p for p, state in zip(every, states, strict=True) if state is not PartitionStatus.DONE]
    return ContractPlan(contract, due, len(every) - len(due), len(every))


def _selected(every: list[Partition], only: Collection[str], grain: Grain) -> list[Partition]:
    selected = [partition for partition in every if partition.relative_path in only]
    if unknown := set(only) - {partition.relative_path for partition in selected}:
        raise ParameterError(
            "partitions",
            min(unknown),
            f"the result file of a partition of the data by {grain.value}",
            f"name them as trading status does, e.g. {every[0].relative_path}",
        )
    return selected
