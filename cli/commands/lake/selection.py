"""Which silver and gold a command is about: what the user typed, and what it means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from cli.commands.lake.question import parsed_day
from cli.settings import existing_lake
from lake.gold.request import GoldRequest
from lake.silver.request import SilverRequest
from servers.errors import USAGE, CommandError
from trading.bars.intervals import Interval
from trading.errors import ParameterError, shown
from trading.instruments.symbols import checked_symbol
from trading.strategies.registry import checked_parameters, strategy_named

if TYPE_CHECKING:
    from flows.boundary.settings import Settings

DEFAULT_STRATEGY = "vegas_channel"
DEFAULT_INTERVALS = "5m,1d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of the lake the user asks for; None leaves it to the settings or takes all.

    Attributes:
        layer: `silver` or `gold`; None for both.
        symbols: Names, separated by commas.
        intervals: Intervals of gold, separated by commas; None for those that there are.
        strategies: Strategies of gold, separated by commas; None for those that there are.
        parameters: The parameters of the one strategy, as JSON.
        sources: Sources of bronze, separated by commas.
        start: First New York date.
        end: Last one, included.
        lake_dir: The lake.
    """

    layer: str | None = None
    symbols: str | None = None
    intervals: str | None = DEFAULT_INTERVALS
    strategies: str | None = DEFAULT_STRATEGY
    parameters: str | None = None
    sources: str | None = None
    start: str | None = None
    end: str | None = None
    lake_dir: str | None = None


def silver_request(selection: Selection, lake_dir: str) -> SilverRequest:
    """What is asked of silver, as of now.

    Raises:
        CommandError, ParameterError: An option has a value that cannot be used.
    """
    first, last = days(selection)
    return SilverRequest(
        lake_dir=lake_dir,
        symbols=_symbols(selection),
        sources=tuple(names(selection.sources)),
        first=first,
        last=last,
        as_of=datetime.now(UTC),
    )


def gold_requests(selection: Selection, lake_dir: str) -> Iterator[GoldRequest]:
    """What is asked of gold, as of now, strategy by strategy.

    Raises:
        CommandError, ParameterError: An option has a value that cannot be used.
    """
    first, last = days(selection)
    for strategy, parameters in strategies_of(selection).items():
        yield GoldRequest(
            lake_dir=lake_dir,
            strategy=strategy,
            parameters=parameters,
            intervals=_intervals(selection),
            symbols=_symbols(selection),
            first=first,
            last=last,
            as_of=datetime.now(UTC),
        )


def medallion_parameters(
    selection: Selection, lake_dir: str, *, reprocess: bool = False
) -> dict[str, Any]:
    """The parameters of the flow `medallion`.

    Raises:
        CommandError, ParameterError: An option has a value that cannot be used.
    """
    strategies = strategies_of(selection)
    first, last = days(selection)
    return {
        "symbols": list(_symbols(selection)) or None,
        "layers": [selection.layer] if selection.layer else ["silver", "gold"],
        "strategies": list(strategies),
        "strategy_parameters": {name: dict(given) for name, given in strategies.items() if given},
        "intervals": [interval.value for interval in _intervals(selection)],
        "first": first and first.isoformat(),
        "last": last and last.isoformat(),
        "sources": names(selection.sources) or None,
        "reprocess": reprocess,
        "lake_dir": lake_dir,
    }


OPTIONS: Mapping[str, tuple[str, ...]] = {
    "bronze": ("interval", "universe", "source", "from", "timezone"),
    "silver": ("source",),
    "gold": ("interval", "strategy", "parameters"),
}
"""The options of each layer beside those that all have."""


def check_options(layer: str, given: Mapping[str, object]) -> None:
    """Refuse options that say nothing of a layer.

    Args:
        layer: The layer.
        given: The value of each option that is not every layer's, by its name.

    Raises:
        CommandError: One does.
    """
    for name, value in given.items():
        if value is not None and name not in OPTIONS[layer]:
            known = ", ".join(f"--{option}" for option in OPTIONS[layer] if option in given)
            raise CommandError(
                f"--{name} {shown(value)} says nothing of {layer}; leave it out, or pass one of "
                f"{known}.",
                USAGE,
            )


def lake_of(selection: Selection, settings: Settings) -> str:
    """The lake asked for, or the installation's, absolute.

    Raises:
        ParameterError: The one asked for is not usable, or not there.
    """
    return existing_lake(selection.lake_dir, settings.lake_dir)


def strategies_of(selection: Selection) -> dict[str, Mapping[str, Any]]:
    """The strategies with their parameters.

    Raises:
        CommandError: The parameters are no JSON object, or there are several strategies.
    """
    chosen = names(selection.strategies)
    if selection.parameters is None:
        return {name: {} for name in chosen}
    try:
        given = json.loads(selection.parameters)
    except ValueError:
        given = None
    if not isinstance(given, dict) or len(chosen) != 1:
        raise CommandError(
            f"parameters={shown(selection.parameters)} is not a JSON object for one strategy; pass "
            """e.g. --strategy vegas_channel --parameters '{"lost_window": 20}'.""",
            USAGE,
        )
    return {chosen[0]: given}


def check_strategies(selection: Selection) -> None:
    """Refuse strategies that there are none of, and parameters that they do not take.

    Raises:
        CommandError, ParameterError: There is one.
    """
    for name, parameters in strategies_of(selection).items():
        checked_parameters(strategy_named(name), parameters)


def check_symbols(selection: Selection, lake_dir: str) -> None:
    """Refuse symbols and sources that the layer below the first one does not have.

    Raises:
        ParameterError: There is one, or there is nothing at all to make the layer from.
    """
    if selection.layer == "gold":
        for request in gold_requests(selection, lake_dir):
            request.chosen_symbols()
    else:
        silver_request(selection, lake_dir).symbols_in_bronze((Interval.DAY, Interval.MINUTE))


def names(text: str | None) -> list[str]:
    """`AAPL,MSFT` as a list.

    Raises:
        CommandError: A name is empty.
    """
    found = [] if text is None else [name.strip() for name in text.split(",")]
    if not all(found):
        raise CommandError(
            f"{shown(text)} is not a list of names; separate them by single commas, e.g. "
            "AAPL,MSFT.",
            USAGE,
        )
    return found


def symbol_names(text: str | None) -> tuple[str, ...]:
    """`AAPL,MSFT` as symbols, each once.

    Raises:
        CommandError, ParameterError: A name is empty or no symbol's.
    """
    return tuple(dict.fromkeys(checked_symbol(name) for name in names(text)))


def _symbols(selection: Selection) -> tuple[str, ...]:
    return symbol_names(selection.symbols)


def _intervals(selection: Selection) -> tuple[Interval, ...]:
    try:
        return tuple(Interval(name) for name in dict.fromkeys(names(selection.intervals)))
    except ValueError:
        raise ParameterError(
            "interval", selection.intervals, "one or more of " + ", ".join(Interval),
            "separate several by commas, e.g. 5m,1d",
        ) from None  # fmt: skip


def days(selection: Selection) -> tuple[date | None, date | None]:
    """The first and the last day.

    Raises:
        ParameterError: One is no date, or the last lies before the first.
    """
    first, last = (
        parsed_day(text, name)
        for name, text in (("start", selection.start), ("end", selection.end))
    )
    if first is not None and last is not None and last < first:
        allowed = f"at or after start={first.isoformat()}"
        raise ParameterError("end", last.isoformat(), allowed, "exchange the two")
    return first, last
