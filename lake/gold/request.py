"""What is asked of gold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from lake.folders import folders_in
from lake.grain import Grain
from lake.silver.request import chosen_symbols
from lake.silver.table import SILVER, SILVER_DAYS
from lake.stretch import StretchKey, symbols_of
from storage.directory import Directory, open_directory
from trading.bars.context import SPX, VIX
from trading.bars.intervals import MINUTE_INTERVALS, SESSION_INTERVALS, Interval
from trading.errors import ParameterError
from trading.strategies.protocol import Strategy
from trading.strategies.registry import checked_parameters, strategy_named

GOLD = "gold"

CONTEXT_SYMBOLS = {VIX: "^VIX", SPX: "^GSPC"}
"""The symbols of the lake that are the series which strategies call VIX and SPX."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldRequest:
    """Which signals to make, of which symbols, from where to where.

    Attributes:
        lake_dir: The lake's folder or URL.
        strategy: A strategy's name, or a class as `package.module:Class`.
        parameters: Its parameters that are not its defaults.
        intervals: The intervals, at least one.
        symbols: The symbols; none for all that silver has.
        first: First New York date; None for the first there is.
        last: Last one, included; None for the last there is.
        as_of: Sessions that end later, and actions known later, take no part, aware; None for all.
        reprocess: Whether partitions that are up to date are due as well.
        only: Files to look at, relative to the lake; None for all.
        context_symbols: The lake's symbol of each series that a strategy may need beside the bars.
    """

    lake_dir: str
    strategy: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    intervals: tuple[Interval, ...] = (Interval.MINUTES_5,)
    symbols: tuple[str, ...] = ()
    first: date | None = None
    last: date | None = None
    as_of: datetime | None = None
    reprocess: bool = False
    only: frozenset[str] | None = None
    context_symbols: Mapping[str, str] = field(default_factory=lambda: dict(CONTEXT_SYMBOLS))

    def __post_init__(self) -> None:
        for interval in self.intervals:
            if interval not in (*MINUTE_INTERVALS, *SESSION_INTERVALS):
                names = ", ".join((*MINUTE_INTERVALS, *SESSION_INTERVALS))
                raise ParameterError(
                    "interval", interval.value, "one that silver has", f"pass one of {names}"
                )

    @property
    def lake(self) -> Directory:
        """The lake.

        Raises:
            LocationError: `lake_dir` is not usable.
        """
        return open_directory(self.lake_dir, "lake_dir")

    @property
    def chosen_strategy(self) -> Strategy[Any]:
        """The strategy.

        Raises:
            ParameterError: There is none of the name.
        """
        return strategy_named(self.strategy)

    @property
    def strategy_parameters(self) -> BaseModel:
        """The strategy's parameters, the defaults included.

        Raises:
            ParameterError: One is unknown or not allowed.
        """
        return checked_parameters(self.chosen_strategy, self.parameters)

    def folder(self, interval: Interval) -> str:
        """The folder with a folder per symbol of one interval, relative to the lake."""
        return f"{GOLD}/{self.chosen_strategy.name}/{interval.value}"

    def chosen_symbols(self) -> Sequence[str]:
        """The symbols asked for, or all that silver has.

        The series that a strategy needs beside the bars are left out unless they are named.

        Raises:
            ParameterError: One is no symbol or has no silver, or there are none.
        """
        layers = {SILVER if i.is_intraday else SILVER_DAYS for i in self.intervals}
        known = {symbol for layer in layers for symbol in folders_in(self.lake, layer)}
        named = self.symbols or (() if self.only is None else tuple(symbols_of(self.only)))
        if not named:
            known -= {self.context_symbols.get(name) for name in self.chosen_strategy.context}
        return chosen_symbols(named, known, self.lake_dir, "silver", "trading lake build silver")

    def grain(self, interval: Interval) -> Grain:
        """What one partition covers."""
        return Grain.MONTH if interval.is_intraday else Grain.YEAR


@dataclass(frozen=True, slots=True, order=True)
class GoldKey(StretchKey):
    """One partition of gold.

    Attributes:
        interval: The interval.
    """

    interval: Interval


def page_name(request: GoldRequest, symbol: str) -> str:
    """The page's file, relative to the lake."""
    return f"{GOLD}/{request.chosen_strategy.name}/{symbol}.html"
