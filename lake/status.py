"""What is there of the results that the input asks for: the status of every partition."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, tzinfo
from enum import StrEnum

import numpy as np

from lake.fingerprints import fingerprints
from lake.grain import Grain
from lake.keys import Partition, partitions, zone_of
from lake.market.inputs import MarketData, check_contract
from lake.market.results import read_fingerprints, read_parameters
from lake.market.wanted import wanted_results
from storage.directory import Directory, open_directory
from trading.errors import ParameterError
from trading.instruments.clock import parse_timestamp, to_datetime64
from trading.instruments.symbols import CONTRACT_PATTERN
from trading.strategies.market_model.inputs import ContractBars
from trading.strategies.market_model.parameters import StrategyParameters


class PartitionStatus(StrEnum):
    """What is there of one partition."""

    DONE = "done"
    """Its result is there and what the inputs and parameters would give now."""
    STALE = "stale"
    """Its result is there, of other inputs, parameters or another version of the analysis."""
    MISSING = "missing"
    """There is no result."""
    FAILED = "failed"
    """Missing or stale, and its last flow run failed."""


@dataclass(frozen=True, slots=True)
class ContractStatus:
    """The status of all partitions of one contract.

    Attributes:
        contract: The contract's name.
        partitions: All its partitions, in the order of time.
        states: The status of each.
    """

    contract: str
    partitions: tuple[Partition, ...]
    states: tuple[PartitionStatus, ...]

    def count(self, status: PartitionStatus) -> int:
        """How many partitions have this status."""
        return self.states.count(status)

    def having(self, wanted: Collection[PartitionStatus]) -> list[Partition]:
        """The partitions with one of these statuses."""
        pairs = zip(self.partitions, self.states, strict=True)
        return [partition for partition, state in pairs if state in wanted]

    def within(self, rows: tuple[int, int]) -> ContractStatus:
        """Of the partitions that have any of the input's rows `first <= row < last`."""
        first, last = rows
        kept = [i for i, p in enumerate(self.partitions) if p.last > first and p.first < last]
        return replace(
            self,
            partitions=tuple(self.partitions[i] for i in kept),
            states=tuple(self.states[i] for i in kept),
        )

    def with_failures(self, labels: Collection[str]) -> ContractStatus:
        """The same, knowing of which partitions (by label) the last flow run failed."""
        states = tuple(
            PartitionStatus.FAILED
            if state is not PartitionStatus.DONE and partition.label in labels
            else state
            for partition, state in zip(self.partitions, self.states, strict=True)
        )
        return replace(self, states=states)


def contract_status(
    market: MarketData,
    contract: str,
    grain: Grain,
    strategy: StrategyParameters,
    output_dir: str,
) -> ContractStatus:
    """Compare a contract's stored results with its input.

    Reads the contract's whole column once, and of each stored result the end.

    Args:
        market: The input.
        contract: The contract's name.
        grain: What one partition covers.
        strategy: The strategy's parameters.
        output_dir: Where results are kept.

    Raises:
        ParameterError: The contract is unknown, or `output_dir` is not usable.
        DataError: The contract has no prices, or the data are out of order.
        StorageError: Input or results cannot be accessed.
    """
    directory = open_directory(output_dir, "output_dir")
    bars = market.bars(contract, 0, market.rows, strategy)
    check_contract(bars)
    every = partitions(bars.timestamps, contract, grain)
    states = partition_states(directory, bars, every, strategy)
    return ContractStatus(contract, tuple(every), tuple(states))


def partition_states(
    directory: Directory,
    bars: ContractBars,
    every: Sequence[Partition],
    strategy: StrategyParameters,
) -> list[PartitionStatus]:
    """Done, stale or missing, for each of a contract's partitions.

    Args:
        directory: Where results are kept.
        bars: All bars of the contract.
        every: Partitions of these bars.
        strategy: The strategy's parameters.

    Raises:
        StorageError: The results cannot be accessed.
    """
    return states_of(read_fingerprints(directory, bars.contract), bars, every, strategy)


def states_of(
    stored: Mapping[str, str],
    bars: ContractBars,
    every: Sequence[Partition],
    strategy: StrategyParameters,
) -> list[PartitionStatus]:
    """Done, stale or missing, for each of a contract's partitions.

    Args:
        stored: Fingerprints of the contract's results by relative file name.
        bars: All bars of the contract.
        every: Partitions of these bars.
        strategy: The strategy's parameters.
    """
    wanted = fingerprints(bars, every, strategy) if stored else [""] * len(every)
    return [
        _state(stored.get(partition.relative_path), fingerprint)
        for partition, fingerprint in zip(every, wanted, strict=True)
    ]


def _state(stored: str | None, wanted: str) -> PartitionStatus:
    if stored is None:
        return PartitionStatus.MISSING
    return PartitionStatus.DONE if stored == wanted else PartitionStatus.STALE


def rows_between(market: MarketData, first: str | None, last: str | None) -> tuple[int, int]:
    """The rows of the bars from one time to another: the first, and the one after the last.

    Args:
        market: The input.
        first: A day, as the bars belong to days, or a timestamp with an offset; None for the start.
        last: The same, included; None for the end.

    Raises:
        ParameterError: One of the two is neither, or the last lies before the first.
    """
    if first is None and last is None:
        return 0, market.rows
    zone = zone_of(market)
    low, high = 0, market.rows
    if first is not None:
        low = market.lower_bound(_instant(first, "from", zone, after=False))
    if last is not None:
        high = market.lower_bound(_instant(last, "to", zone, after=True))
    if first is not None and last is not None and low > high:
        raise ParameterError("to", last, f"at or after from={first}", "exchange the two")
    return low, high


def _instant(text: str, parameter: str, zone: tzinfo, *, after: bool) -> np.datetime64:
    """The instant at which a day or timestamp begins, or from which on is after it."""
    try:
        midnight = datetime.combine(date.fromisoformat(text), time(), zone)
    except ValueError:
        stamp = to_datetime64(_moment(text, parameter))
        return stamp + np.timedelta64(1, "ns") if after else stamp
    parse_timestamp(midnight, parameter)  # is it in a year that there can be?
    # Of the zone's wall clock, by which some days have 23 or 25 hours.
    return to_datetime64(midnight + timedelta(days=1) if after else midnight)


def _moment(text: str, parameter: str) -> datetime:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        allowed = "a day or a timestamp with its UTC offset"
        hint = "write the day as YYYY-MM-DD, e.g. 2024-01-02"
        raise ParameterError(parameter, text, allowed, hint) from None
    return parse_timestamp(text, parameter)


_GRAINS = (
    (Grain.BAR, r"\d{8}_\d{6}([+-]\d{4})?"),
    (Grain.SESSION, r"\d{8}"),
    (Grain.MONTH, r"\d{4}-\d{2}"),
    (Grain.YEAR, r"\d{4}"),
    (Grain.ALL, "all"),
)
"""How the files of each grain are named, without their ending; see `lake.keys`."""


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """What the stored results of an input were computed with, as their first contract has it.

    Attributes:
        contracts: Contracts of the input that have a folder.
        grain: What most files cover; None without results.
        strategy: The parameters in the last of those files; None without results.
    """

    contracts: tuple[str, ...]
    grain: Grain | None
    strategy: StrategyParameters | None


def stored_settings(market: MarketData, output_dir: str) -> StoredSettings:
    """With what grain and parameters the results of an input were computed.

    What the input does not ask for counts only when there is nothing else.

    Raises:
        ParameterError: `output_dir` is not usable.
        DataError: The input's timestamps cannot be used.
        StorageError: Input or results cannot be accessed.
    """
    directory = open_directory(output_dir, "output_dir")
    folders = [name for name in directory.list_folders() if re.fullmatch(CONTRACT_PATTERN, name)]
    known = tuple(name for name in folders if name in market.contracts)
    asked = {name: grain for grain in Grain for name in wanted_results(market, grain).names}
    for contract in known:
        if of_input := {n: g for n, g in _grains(directory, contract).items() if n in asked}:
            return StoredSettings(known, *_settings_of(directory, contract, of_input))
    for contract in folders:
        if by_grain := _grains(directory, contract):
            return StoredSettings(known, *_settings_of(directory, contract, by_grain))
    return StoredSettings(known, None, None)


def _grains(directory: Directory, contract: str) -> dict[str, Grain]:
    """The grain of each file that is named like a result."""
    files = directory.list_files(contract)
    return {name: grain for name in files if (grain := grain_of(name))}


def _settings_of(
    directory: Directory, contract: str, by_grain: Mapping[str, Grain]
) -> tuple[Grain, StrategyParameters | None]:
    ((usual, _),) = Counter(by_grain.values()).most_common(1)
    last = max(name for name, grain in by_grain.items() if grain is usual)
    return usual, read_parameters(directory, f"{contract}/{last}", contract)


def grain_of(name: str) -> Grain | None:
    """The grain of a result whose file is called so; None when no result's is."""
    stem = name.removesuffix(".parquet")
    if stem == name:
        return None
    return next((grain for grain, form in _GRAINS if re.fullmatch(form, stem)), None)
