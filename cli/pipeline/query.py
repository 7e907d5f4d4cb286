"""What `trading status` and `trading redo` look at: every partition, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from cli.settings import absolute, check_there
from lake.dataset import PartitionStatus, SymbolStatus
from lake.grain import Grain
from lake.keys import Partition
from lake.market.dataset import RESULTS
from lake.market.request import MarketRequest, contracts_with_results, like_stored
from lake.planning import plan
from lake.status import rows_between, within
from servers.errors import USAGE, CommandError
from storage.directory import open_directory
from trading.instruments.clock import bar_zone, to_datetime
from trading.instruments.symbols import checked_contract
from trading.strategies.market_model.parameters import StrategyParameters

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

STATUSES = (
    PartitionStatus.DONE,
    PartitionStatus.STALE,
    PartitionStatus.MISSING,
    PartitionStatus.FAILED,
)
"""Those that a result of the main pipeline can have: no source corrects it later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionQuery:
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


def stored_request_of(settings: Settings, query: PartitionQuery) -> MarketRequest:
    """`request_of` for who only looks at results: a folder of them that is named has to be there.

    A slip in its name would read as results that are all missing, or none of them orphaned.

    Raises:
        CommandError, TradingError: As `request_of`, or there is no such folder.
    """
    request = request_of(settings, query)
    if query.output_dir:
        check_there(
            request.output_dir,
            query.output_dir,
            "a folder of results",
            "make them first with trading demo",
        )
    return request


def request_of(settings: Settings, query: PartitionQuery) -> MarketRequest:
    """What is asked; what the user left out is taken from the results and the settings.

    Raises:
        CommandError: `strategy` is not a JSON object of the strategy's parameters, or a name of
            `contracts` is empty.
        ParameterError: A name of `contracts` is no contract's.
        TradingError: A directory is not usable or cannot be accessed.
    """
    chosen, names = _strategy(query.strategy), contract_names(query.contracts)
    source = absolute(query.input_dir or settings.input_dir, "input_dir")
    target = absolute(query.output_dir or settings.output_dir, "output_dir")
    request = MarketRequest(
        input_dir=open_directory(source, "input_dir"),
        output_dir=open_directory(target, "output_dir"),
        contracts=None if names is None else tuple(names),
    )
    return like_stored(request, Grain(query.grain) if query.grain else None, chosen)


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


def read_status(request: MarketRequest, query: PartitionQuery) -> list[SymbolStatus[Partition]]:
    """The status of the partitions asked about, without what a Prefect server knows.

    Without names of contracts, of those that have results; without results, of all in the data.

    Raises:
        CommandError: There is no partition at that time.
        TradingError: A contract is unknown, or input or results cannot be read.
    """
    market = request.market()
    rows = rows_between(market, query.first, query.last)
    names = request.contracts or contracts_with_results(request) or None
    statuses = plan(RESULTS, replace(request, contracts=names))
    found = [within(status, rows) for status in statuses]
    if not any(map(len, found)):
        stamps = market.timestamps()
        zone = bar_zone(stamps)
        raise CommandError(
            f"There are no bars from {query.first or 'the start'} to "
            f"{query.last or 'the end'}; those of the data lie between "
            f"{to_datetime(stamps[0], zone).isoformat()} and "
            f"{to_datetime(stamps[-1], zone).isoformat()}.",
            USAGE,
        )
    return found


def contract_names(text: str | None) -> list[str] | None:
    """`AAPL,MSFT` as a list.

    Raises:
        CommandError: A name is empty.
        ParameterError: A name is no contract's.
    """
    if text is None:
        return None
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise CommandError(
            f"contracts={text!r} is not a list of names; pass e.g. --contracts AAPL,MSFT.", USAGE
        )
    return [checked_contract(name) for name in names]


def counts(statuses: Collection[SymbolStatus[Partition]]) -> Mapping[str, int]:
    """How many partitions have each status."""
    return {state.value: sum(s.count(state) for s in statuses) for state in STATUSES}


def as_json(fields: Mapping[str, Any]) -> str:
    """One JSON object on one line."""
    return json.dumps(fields, default=str, allow_nan=False)
