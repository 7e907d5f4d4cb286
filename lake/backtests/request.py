"""What is asked of a backtest, and what names its files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from pydantic import BaseModel

from lake.folders import folders_in
from lake.gold.request import CONTEXT_SYMBOLS
from lake.market.inputs import MarketData, market_data_in
from lake.silver.request import chosen_symbols
from lake.silver.table import SILVER, SILVER_DAYS
from lake.stretch import SUFFIX
from storage.directory import Directory, open_directory
from trading.backtest.assumptions import Assumptions
from trading.bars.intervals import MINUTE_INTERVALS, SESSION_INTERVALS, Interval
from trading.errors import ParameterError
from trading.strategies.protocol import Strategy
from trading.strategies.registry import strategy_named

BACKTEST, WALK_FORWARD = "backtest", "walk-forward"

PORTFOLIO = "portfolio"
"""What stands for a symbol where one account trades all of them; no symbol has small letters."""

HELD_BACK = 0.3
"""Share of the bars at the end of a window that sets are not compared by, unless said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRequest:
    """Which parameter sets of a strategy to trade, on which bars and how.

    Attributes:
        lake_dir: The lake's folder or URL: results go there, and bars come from its silver.
        strategy: A strategy's name, or a class as `package.module:Class`.
        interval: The length of the bars.
        sets: The parameter sets, different ones.
        symbols: The symbols; none for all that there are bars of.
        portfolio: Whether one account trades all symbols, instead of one each.
        start: First New York date that is traded; None for the first there is. The strategy sees
            all bars before it.
        end: Last one, included; None for the last there is.
        assumptions: Capital, costs and how signals become orders.
        held_back: Share of the window's bars, at its end, that are out of sample.
        folds: Of a walk-forward; 0 for none.
        input_dir: Market data of the main pipeline to take instead of silver; they have closes
            alone, without volumes.
        as_of: Sessions that end later, and actions known later, take no part, aware; None for all.
        reprocess: Whether partitions that are up to date are due as well.
        only: Files to look at, relative to the lake; None for all.
        context_symbols: The lake's symbol of each series that a strategy may need beside the bars.
    """

    lake_dir: str
    strategy: str
    interval: Interval
    sets: tuple[BaseModel, ...]
    symbols: tuple[str, ...] = ()
    portfolio: bool = False
    start: date | None = None
    end: date | None = None
    assumptions: Assumptions = field(default_factory=Assumptions)
    held_back: float = HELD_BACK
    folds: int = 0
    input_dir: str | None = None
    as_of: datetime | None = None
    reprocess: bool = False
    only: frozenset[str] | None = None
    context_symbols: Mapping[str, str] = field(default_factory=lambda: dict(CONTEXT_SYMBOLS))

    def __post_init__(self) -> None:
        known = (*MINUTE_INTERVALS, *SESSION_INTERVALS)
        if self.input_dir is None and self.interval not in known:
            raise ParameterError(
                "interval", self.interval.value, "one that silver has",
                f"pass one of {', '.join(known)}, or take the bars of an input_dir",
            )  # fmt: skip
        if self.input_dir is not None and self.assumptions.participation is not None:
            raise ParameterError(
                "participation", str(self.assumptions.participation),
                "usable with the bars of an input_dir, which have no volumes",
                "leave it out",
            )  # fmt: skip
        if self.start and self.end and self.start > self.end:
            raise ParameterError(
                "end", self.end.isoformat(), f"at or after start={self.start}", "exchange the two"
            )
        if self.folds < 0:
            raise ParameterError("walk_forward", self.folds, "1 or more folds", "pass e.g. 5")
        if not 0 < self.held_back < 1:
            raise ParameterError(
                "held_back", self.held_back, "between 0 and 1", "pass e.g. 0.3 for 30 %"
            )

    @property
    def lake(self) -> Directory:
        """The lake.

        Raises:
            LocationError: `lake_dir` is not usable.
        """
        return open_directory(self.lake_dir, "lake_dir")

    @property
    def market(self) -> MarketData | None:
        """The market data of `input_dir`; None where bars come from silver.

        Raises:
            DataError: They cannot be used.
            LocationError: `input_dir` is not usable.
            StorageError: They cannot be accessed.
        """
        if self.input_dir is None:
            return None
        return market_data_in(_opened(self.input_dir))

    @property
    def chosen_strategy(self) -> Strategy[Any]:
        """The strategy.

        Raises:
            ParameterError: There is none of the name.
        """
        return strategy_named(self.strategy)

    def folder(self, dataset: str) -> str:
        """The folder with a folder per account, relative to the lake."""
        return f"{dataset}/{self.chosen_strategy.name}/{self.interval.value}"

    def traded_symbols(self) -> Sequence[str]:
        """The symbols asked for, or all that there are bars of.

        Raises:
            ParameterError: One is no symbol or has no bars, or there are none.
        """
        market = self.market
        if market is not None:
            for symbol in self.symbols:
                market.check_known(symbol)
            return list(dict.fromkeys(self.symbols)) or list(market.contracts)
        known = set(folders_in(self.lake, SILVER if self.interval.is_intraday else SILVER_DAYS))
        if not self.symbols:
            known -= {self.context_symbols.get(name) for name in self.chosen_strategy.context}
        return chosen_symbols(
            self.symbols, known, self.lake_dir, "silver", "trading lake build silver"
        )

    def accounts(self) -> Sequence[str]:
        """What is traded on its own: each symbol, or the portfolio of all."""
        symbols = self.traded_symbols()
        return [PORTFOLIO] if self.portfolio else symbols

    def symbols_of(self, account: str) -> Sequence[str]:
        """The symbols that an account trades."""
        return self.traded_symbols() if account == PORTFOLIO else [account]


@lru_cache(maxsize=8)
def _opened(input_dir: str) -> Directory:
    return open_directory(input_dir, "input_dir")


@dataclass(frozen=True, slots=True)
class BacktestKey:
    """One partition: a parameter set, or a fold, of one account.

    Attributes:
        folder: `backtest/{strategy}/{interval}`, or of `walk-forward`.
        symbol: The symbol, or `portfolio`.
        fingerprint: Hash of all that it is made of, and its file's name.
        name: What people call the set or fold.
        parameters: The set; None of a fold, which tries all of them.
        fold: The fold's number; 0 of a set.
    """

    folder: str
    symbol: str
    fingerprint: str
    name: str
    parameters: BaseModel | None = field(default=None, compare=False)
    fold: int = 0

    @property
    def relative_path(self) -> str:
        """Its file, relative to the lake."""
        return f"{self.folder}/{self.symbol}/{self.fingerprint}{SUFFIX}"

    @property
    def label(self) -> str:
        """What people call it, e.g. `AAPL rsi_reversion 5m periods=20`."""
        return " ".join([self.symbol, *self.folder.split("/")[1:], self.name])
