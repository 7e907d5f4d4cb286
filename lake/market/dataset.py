"""The results of the main pipeline as a dataset: which there should be, and which there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lake.dataset import Wanted
from lake.fingerprints import fingerprints
from lake.keys import Partition, grain_of, partitions
from lake.market.compute import PartitionSummary, compute_partition
from lake.market.inputs import check_contract
from lake.market.request import MarketRequest
from lake.market.results import read_fingerprints
from trading.errors import ParameterError
from trading.instruments.symbols import selected_contracts
from trading.strategies.market_model.inputs import ContractBars


class MarketResults:
    """The main pipeline's results, one file per partition of a contract."""

    name = "results"

    def symbols(self, request: MarketRequest) -> Sequence[str]:
        """The contracts that the request names, or all of the data.

        Raises:
            ParameterError: One is unknown or repeated.
            DataError: The input cannot be used.
        """
        available = request.market().contracts
        return selected_contracts(available, request.contracts, len(available))

    def wanted(self, request: MarketRequest, symbol: str) -> list[Wanted[Partition]]:
        """The partitions of one contract, in the order of time; reads its whole column once.

        Raises:
            ParameterError: The contract is unknown, or `request.only` names a file of it that is
                no partition's.
            DataError: The contract has no prices, or the data are out of order.
            StorageError: The input cannot be read.
        """
        market = request.market()
        bars = market.bars(symbol, 0, market.rows, request.strategy)
        check_contract(bars)
        wanted = wanted_partitions(request, bars)
        _check_only(request, symbol, wanted)
        return wanted

    def stored(self, request: MarketRequest, symbol: str) -> Mapping[str, str]:
        """Fingerprint of each of the contract's results; reads the end of each file.

        Raises:
            StorageError: The results cannot be accessed.
        """
        found = read_fingerprints(request.output_dir, symbol)
        return {file: known for file, known in found.items() if grain_of(file.partition("/")[2])}

    def compute(self, request: MarketRequest, key: Partition, flow_run_id: str) -> PartitionSummary:
        """Compute one partition and write its file; see `compute_partition`."""
        return compute_partition(request, key, flow_run_id)

    def parameters(self, request: MarketRequest, key: Partition) -> dict[str, object]:
        """The parameters of the `analyze-time-partition` run that computes one partition."""
        return {"contract": key.symbol, "timestamp": key.timestamp, **request.parameters()}


RESULTS = MarketResults()


def wanted_partitions(request: MarketRequest, bars: ContractBars) -> list[Wanted[Partition]]:
    """The partitions of one contract and the fingerprints that their results should have.

    Args:
        request: Which grain and strategy.
        bars: All bars of the contract.
    """
    every = partitions(bars.timestamps, bars.contract, request.grain)
    prints = fingerprints(bars, every, request.strategy)
    return [Wanted(key, known) for key, known in zip(every, prints, strict=True)]


def _check_only(request: MarketRequest, symbol: str, wanted: Sequence[Wanted[Partition]]) -> None:
    asked = set(request.only or ())
    if request.contracts != (symbol,):  # another contract's are looked at with that one
        asked = {file for file in asked if file.startswith(f"{symbol}/")}
    if unknown := asked - {one.key.relative_path for one in wanted}:
        raise ParameterError(
            "partitions",
            min(unknown),
            f"the result file of a partition of the data by {request.grain.value}",
            f"name them as trading status does, e.g. {wanted[0].key.relative_path}",
        )
