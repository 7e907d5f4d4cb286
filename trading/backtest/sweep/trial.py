"""One parameter set on one account: what the strategy says of all bars, and what that earns."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from pydantic import BaseModel

from trading.arrays import Floats, Timestamps
from trading.backtest.assumptions import Assumptions
from trading.backtest.engine import run
from trading.backtest.market import Clock, Market
from trading.backtest.result import Result
from trading.backtest.sweep.evaluation import evaluated
from trading.backtest.targets import TargetOrders
from trading.backtest.terms import Terms
from trading.bars.context import ContextSeries, as_of, tolerance
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.errors import DataError
from trading.instruments.actions import CorporateAction
from trading.instruments.calendar import sessions
from trading.instruments.clock import local_times
from trading.strategies.protocol import Context, Signals, Strategy

_BEYOND = timedelta(days=90)
"""Calendar days in which the longest bar that has begun ends, and one more session."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A series beside the bars: values of shape (m,), and when each was known, UTC."""

    known_at: Timestamps
    values: Floats

    def at(self, name: str, moments: Timestamps, parameters: BaseModel) -> Floats:
        """The last value known at each moment, NaN where it is older than the parameters allow."""
        return as_of(moments, self.known_at, self.values, tolerance(name, parameters))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SymbolHistory:
    """What a backtest knows of one symbol, from the first bar there is.

    Attributes:
        seen: The bars that the strategy sees, adjusted.
        traded: The bars that orders fill at, with the same timestamps: as they were, since whole
            shares, fees and the bound by volume are of their day.
        actions: Splits and dividends of the traded bars.
        moments: When each bar's signal may know the series beside it.
        series: These series by name.
        increment: Smallest step of a quantity.
    """

    seen: Bars
    traded: Bars
    actions: tuple[CorporateAction, ...]
    moments: Timestamps
    series: Mapping[str, ContextSeries]
    increment: Decimal = Decimal(1)

    def context(self, parameters: BaseModel) -> Context:
        """The series as of each bar, as old as the parameters allow."""
        return {name: own.at(name, self.moments, parameters) for name, own in self.series.items()}

    def rows(self, first: date | None, last: date | None) -> slice:
        """The bars that start on New York dates from `first` to `last`; None is no bound."""
        dates = local_times(self.seen.timestamps).astype("datetime64[D]")
        begin = 0 if first is None else int(np.searchsorted(dates, np.datetime64(first)))
        end = len(dates)
        if last is not None:
            end = int(np.searchsorted(dates, np.datetime64(last), side="right"))
        return slice(begin, max(begin, end))


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A stretch of the bars of one account, ready to be traded.

    Attributes:
        market: Its bars.
        rows: Which of each symbol's bars they are.
        actions: What happens to shares in it.
    """

    market: Market
    rows: tuple[slice, ...]
    actions: tuple[CorporateAction, ...]

    @classmethod
    def of(
        cls, histories: Sequence[SymbolHistory], rows: Sequence[slice], interval: Interval
    ) -> Window:
        """Put a stretch of each symbol's bars on one clock.

        Raises:
            DataError: There is no bar in it, or one lies outside the exchange's sessions.
        """
        traded = [
            own.traded[part] for own, part in zip(histories, rows, strict=True)
        ]  # fmt: skip
        stamps = np.unique(np.concatenate([own.timestamps for own in traded]))
        if not len(stamps):
            names = ", ".join(own.traded.symbol for own in histories)
            raise DataError(f"bars of {names}", "there is none in that time", "choose another time")
        first, last = local_times(stamps[[0, -1]]).astype("datetime64[D]").tolist()
        clock = Clock.of(stamps, interval, sessions(first, last + _BEYOND))
        increments = {own.traded.symbol: own.increment for own in histories}
        dates = clock.dates
        actions = tuple(
            action
            for own in histories
            for action in own.actions
            if dates[0] < np.datetime64(action.ex_date) <= dates[-1]
        )
        return cls(Market.of(traded, clock, increments), tuple(rows), actions)


def all_signals(
    histories: Sequence[SymbolHistory],
    strategy: Strategy[Any],
    parameters: BaseModel,
    interval: Interval,
) -> list[Signals]:
    """What the strategy says of every bar of each symbol, from the first there is.

    Raises:
        DataError: It raised, or its answer is none.
    """
    return [
        evaluated(strategy, own.seen, interval, own.context(parameters), parameters)
        for own in histories
    ]


def traded(
    window: Window,
    signals: Sequence[Signals],
    assumptions: Assumptions,
    *,
    strategy: Strategy[Any],
    parameters: BaseModel,
) -> Result:
    """Trade a window by signals of all bars; the account begins without a position.

    What the strategy said before the window is not followed: the first order is made where a
    target changes within it.

    Args:
        window: The bars.
        signals: Of all bars of each symbol.
        assumptions: What is assumed.
        strategy: The strategy, for the orders' names.
        parameters: Its parameters, for the same.
    """
    own = [_part(said, rows) for said, rows in zip(signals, window.rows, strict=True)]
    source = TargetOrders(
        window.market,
        own,
        assumptions,
        strategy=strategy.name,
        fingerprint=hashlib.blake2b(
            parameters.model_dump_json().encode(), digest_size=8
        ).hexdigest(),
    )
    terms = Terms(capital=assumptions.capital, costs=assumptions.costs(), actions=window.actions)
    return run(window.market, source, terms)


def _part(said: Signals, rows: slice) -> Signals:
    return Signals(said.signal[rows], {}, None if said.target is None else said.target[rows])
