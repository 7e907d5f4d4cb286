"""What is asked of the main pipeline, as one frozen value that travels whole."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lake.grain import Grain
from lake.keys import grain_of
from lake.market.inputs import MarketData, market_data_in
from lake.market.results import read_parameters
from lake.market.wanted import wanted_results
from storage.directory import Directory
from trading.instruments.symbols import CONTRACT_PATTERN
from trading.strategies.market_model.parameters import StrategyParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRequest:
    """Of which contracts, with which parameters, from where to where.

    Attributes:
        input_dir: Where the market data are.
        output_dir: Where the results are.
        contracts: The contracts; None leaves the choice to whoever answers, e.g. all of the data.
        grain: What one partition covers.
        strategy: The strategy's parameters, its cost among them, which aggregation alone uses.
        only: Result files to look at, relative to `output_dir`; None for all of the contracts.
        reprocess: Whether partitions that are up to date are due as well.
    """

    input_dir: Directory
    output_dir: Directory
    contracts: tuple[str, ...] | None = None
    grain: Grain = Grain.BAR
    strategy: StrategyParameters = field(default_factory=StrategyParameters)
    only: frozenset[str] | None = None
    reprocess: bool = False

    def market(self) -> MarketData:
        """The market data as they are now; opened once per process and version.

        Raises:
            DataError: A file or column is missing or unusable; the message names it.
            StorageError: A file cannot be accessed.
        """
        return market_data_in(self.input_dir)

    def of(self, contract: str) -> MarketRequest:
        """The same for one of its contracts."""
        only = self.only
        if only is not None:
            only = frozenset(file for file in only if file.startswith(f"{contract}/"))
        return replace(self, contracts=(contract,), only=only)

    def parameters(self) -> dict[str, object]:
        """What every flow run of it is told, as JSON."""
        return {
            "grain": self.grain.value,
            "strategy": self.strategy.model_dump(mode="json"),
            "input_dir": self.input_dir.location,
            "output_dir": self.output_dir.location,
        }


def like_stored(
    request: MarketRequest, grain: Grain | None, strategy: StrategyParameters | None
) -> MarketRequest:
    """The request with this grain and strategy, or with those of the stored results.

    Args:
        request: What is asked.
        grain: What one partition covers; None takes what most of the results do, or a bar.
        strategy: The parameters; None takes those of the last result, or the defaults.

    Raises:
        DataError: The input cannot be used.
        StorageError: Input or results cannot be accessed.
    """
    if grain is None or strategy is None:
        stored = stored_settings(request)
        grain = grain or stored.grain or Grain.BAR
        strategy = strategy or stored.strategy or StrategyParameters()
    return replace(request, grain=grain, strategy=strategy)


@dataclass(frozen=True, slots=True)
class StoredSettings:
    """What the stored results of an input were computed with, as their first contract has it.

    Attributes:
        grain: What most files cover; None without results.
        strategy: The parameters in the last of those files; None without results.
    """

    grain: Grain | None
    strategy: StrategyParameters | None


def contracts_with_results(request: MarketRequest) -> tuple[str, ...]:
    """Contracts of the input that have a folder of results, sorted.

    Raises:
        DataError: The input cannot be used.
        StorageError: Input or results cannot be accessed.
    """
    available = set(request.market().contracts)
    return tuple(name for name in request.output_dir.list_folders() if name in available)


def stored_settings(request: MarketRequest) -> StoredSettings:
    """With what grain and parameters the results of an input were computed.

    What the input does not ask for counts only when there is nothing else.

    Raises:
        DataError: The input's timestamps cannot be used.
        StorageError: Input or results cannot be accessed.
    """
    market, directory = request.market(), request.output_dir
    folders = [name for name in directory.list_folders() if re.fullmatch(CONTRACT_PATTERN, name)]
    asked = {name: grain for grain in Grain for name in wanted_results(market, grain).names}
    for contract in (name for name in folders if name in market.contracts):
        if of_input := {n: g for n, g in _grains(directory, contract).items() if n in asked}:
            return _settings_of(directory, contract, of_input)
    for contract in folders:
        if by_grain := _grains(directory, contract):
            return _settings_of(directory, contract, by_grain)
    return StoredSettings(None, None)


def _grains(directory: Directory, contract: str) -> dict[str, Grain]:
    """The grain of each file that is named like a result."""
    files = directory.list_files(contract)
    return {name: grain for name in files if (grain := grain_of(name))}


def _settings_of(
    directory: Directory, contract: str, by_grain: Mapping[str, Grain]
) -> StoredSettings:
    ((usual, _),) = Counter(by_grain.values()).most_common(1)
    last = max(name for name, grain in by_grain.items() if grain is usual)
    return StoredSettings(usual, read_parameters(directory, f"{contract}/{last}", contract))
