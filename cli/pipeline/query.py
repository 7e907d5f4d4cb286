"""What `trading status` and `trading redo` look at: every partition, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cli.settings import absolute
from lake.grain import Grain
from lake.market.inputs import open_market_data
from lake.market.orphaned import Orphan, orphaned_results
from lake.market.wanted import wanted_results
from lake.status import (
    ContractStatus,
    PartitionStatus,
    StoredSettings,
    contract_status,
    rows_between,
    stored_settings,
)
from servers.errors import USAGE, CommandError
from trading.instruments.clock import bar_zone, to_datetime
from trading.instruments.symbols import selected_contracts
from trading.strategies.market_model.parameters import StrategyParameters

if TYPE_CHECKING:
    from flows.boundary.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which partitions the user asks about; None leaves it to the results or the settings.

    Attributes:
        contracts: Names, separated by commas.
        first: Day or timestamp from which on; None from the start.
        last: Day or timestamp until which, inclusive; None to the end.
        input_dir: Where the market data are.
        output_dir: Where the results are.
        grain: What one partition covers.
        strategy: The strategy's parameters as JSON.
    """

    contracts: str | None = None
    first: str | None = None
    last: str | None = None
    input_dir: str | None = None
    output_dir: str | None = None
    grain: str | None = None
    strategy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to look and with what; what the user left out is taken from results and settings.

    Attributes:
        input_dir: Where the market data are, absolute.
        output_dir: Where the results are, absolute.
        grain: What one partition covers.
        strategy: The parameters that results are measured against.
        stored: What the stored results were computed with.
    """

    input_dir: str
    output_dir: str
    grain: Grain
    strategy: StrategyParameters
    stored: StoredSettings


def places(settings: Settings, question: Question) -> Places:
    """Where to look.

    Raises:
        CommandError: `strategy` is not a JSON object of the strategy's parameters.
        TradingError: A directory is not usable or cannot be accessed.
    """
    chosen = _strategy(question.strategy)
    source = absolute(question.input_dir or settings.input_dir, "input_dir")
    target = absolute(question.output_dir or settings.output_dir, "output_dir")
    stored = stored_settings(open_market_data(source), target)
    return Places(
        input_dir=source,
        output_dir=target,
        grain=Grain(question.grain) if question.grain else stored.grain or Grain.BAR,
        strategy=chosen or stored.strategy or StrategyParameters(),
        stored=stored,
    )


def _strategy(text: str | None) -> StrategyParameters | None:
    if text is None:
        return None
    try:
        return StrategyParameters.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise CommandError(
            f"strategy={text!r} cannot be used ({where}: {first['msg']}); pass e.g. "
            """--strategy '{"beta_window": 60}'.""",
            USAGE,
        ) from None


def read_status(where: Places, question: Question) -> list[ContractStatus]:
    """The status of the partitions asked about, without what a Prefect server knows.

    Without names of contracts, of those that have results; without results, of all in the data.

    Raises:
        CommandError: The names or the time are none, or there is no partition at that time.
        TradingError: A contract is unknown, or input or results cannot be read.
    """
    market = open_market_data(where.input_dir)
    rows = rows_between(market, question.first, question.last)
    known = [name for name in where.stored.contracts if name in market.contracts]
    names = contract_names(question.contracts) or known or list(market.contracts)
    chosen = selected_contracts(market.contracts, names, len(names))
    found = [
        contract_status(market, name, where.grain, where.strategy, where.output_dir).within(rows)
        for name in chosen
    ]
    if not any(status.partitions for status in found):
        stamps = market.timestamps()
        zone = bar_zone(stamps)
        raise CommandError(
            f"There are no bars from {question.first or 'the start'} to "
            f"{question.last or 'the end'}; those of the data lie between "
            f"{to_datetime(stamps[0], zone).isoformat()} and "
            f"{to_datetime(stamps[-1], zone).isoformat()}.",
            USAGE,
        )
    return found


def read_orphaned(where: Places, contracts: Collection[str] | None) -> list[Orphan]:
    """The stored results that the input does not ask for.

    Args:
        where: Where to look.
        contracts: Contracts to look at, whether the input has them or not; None for all.

    Raises:
        TradingError: Input or results cannot be read.
    """
    wanted = wanted_results(open_market_data(where.input_dir), where.grain)
    return orphaned_results(where.output_dir, wanted, contracts)


def contract_names(text: str | None) -> list[str] | None:
    """`AAPL,MSFT` as a list.

    Raises:
        CommandError: A name is empty.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise CommandError(
            f"contracts={text!r} is not a list of names; pass e.g. --contracts AAPL,MSFT.", USAGE
        )
    return names


def counts(statuses: Collection[ContractStatus]) -> Mapping[str, int]:
    """How many partitions have each status."""
    return {state.value: sum(s.count(state) for s in statuses) for state in PartitionStatus}


def as_json(fields: Mapping[str, Any]) -> str:
    """One JSON object on one line."""
    return json.dumps(fields, default=str, allow_nan=False)
