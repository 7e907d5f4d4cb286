"""Walk-forward: choose a set by what came before, trade what comes after, and go on.

A window of n bars is divided into folds + 1 stretches of as equal a length as can be. Fold i
trains on all bars up to the end of stretch i and trades stretch i + 1, which no choice has seen
(Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd ed. 2008, ch. 11, with an
anchored start).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic import BaseModel

from trading.backtest.assumptions import Assumptions
from trading.backtest.metrics import Metrics, metrics, sharpe_ratio
from trading.backtest.result import Result
from trading.backtest.sweep.trial import SymbolHistory, Window, all_signals, traded
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.strategies.protocol import Strategy

MOST_FOLDS = 100


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows of one account's clock.

    Attributes:
        number: From 1.
        first: The first row of training.
        split: The first row that is traded with what was chosen.
        end: The row after the last.
    """

    number: int
    first: int
    split: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldResult:
    """What a fold came to.

    Attributes:
        symbol: The symbol, or what the account of several is called.
        number: The fold, from 1.
        parameters: The chosen set, as JSON.
        name: What it is called.
        first: First bar of training, UTC.
        split: First bar that was traded with the chosen set.
        last: Last one.
        trained: The chosen set's metrics in training.
        traded: Its metrics afterwards.
    """

    symbol: str
    number: int
    parameters: Mapping[str, Any]
    name: str
    first: np.datetime64
    split: np.datetime64
    last: np.datetime64
    trained: Metrics
    traded: Metrics


def folds(count: int, number: int) -> list[Fold]:
    """The folds of so many rows.

    Raises:
        ParameterError: There are not two rows for every stretch, or the number is none.
    """
    most = min(MOST_FOLDS, count // 2 - 1)
    if not 1 <= number <= most:
        raise ParameterError(
            "walk_forward", number, f"from 1 to {max(most, 1)} for {count} bars",
            "pass fewer folds, or a longer time",
        )  # fmt: skip
    edges = [count * i // (number + 1) for i in range(number + 2)]
    return [Fold(i, 0, edges[i], edges[i + 1]) for i in range(1, number + 1)]


def stretch(
    histories: Sequence[SymbolHistory], window: Window, first: int, end: int
) -> list[slice]:
    """Which of each symbol's bars lie in some rows of a window's clock.

    Args:
        histories: What is known of each symbol.
        window: The whole window.
        first: The first row.
        end: The row after the last.
    """
    starts = window.market.clock.starts.view("datetime64[ns]")
    found = []
    for own in histories:
        stamps = own.seen.timestamps
        begin = int(np.searchsorted(stamps, starts[first]))
        found.append(slice(begin, int(np.searchsorted(stamps, starts[end - 1], side="right"))))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Walked:
    """A fold, walked.

    Attributes:
        chosen: The set with the highest Sharpe ratio in training, the first of equals, or of all
            where none has one.
        trained: Its metrics in training.
        first: The first bar of training, UTC.
        result: What it came to afterwards, with an account that begins anew.
        traded: The metrics of that.
    """

    chosen: BaseModel
    trained: Metrics
    first: np.datetime64
    result: Result
    traded: Metrics


def walk(
    histories: Sequence[SymbolHistory],
    window: Window,
    fold: Fold,
    *,
    strategy: Strategy[Any],
    sets: Sequence[BaseModel],
    interval: Interval,
    assumptions: Assumptions,
    bars_per_year: float,
) -> Walked:
    """Train on a fold's first part, choose, and trade its second part.

    No set sees a bar after the part that it is evaluated for.

    Raises:
        DataError: The strategy raised.
    """
    training = Window.of(histories, stretch(histories, window, fold.first, fold.split), interval)
    known = [_until(own, rows) for own, rows in zip(histories, training.rows, strict=True)]
    best, chosen, trained = -math.inf, sets[0], None
    for one in sets:
        signals = all_signals(known, strategy, one, interval)
        made = traded(training, signals, assumptions, strategy=strategy, parameters=one)
        sharpe = sharpe_ratio(made.returns)
        if trained is None or sharpe > best:
            best = -math.inf if math.isnan(sharpe) else sharpe
            chosen, trained = one, metrics(made.course, bars_per_year)
    if trained is None:
        raise ValueError("there is no set to choose from")
    after = Window.of(histories, stretch(histories, window, fold.split, fold.end), interval)
    known = [_until(own, rows) for own, rows in zip(histories, after.rows, strict=True)]
    signals = all_signals(known, strategy, chosen, interval)
    result = traded(after, signals, assumptions, strategy=strategy, parameters=chosen)
    first = training.market.clock.starts.view("datetime64[ns]")[0]
    return Walked(chosen, trained, first, result, metrics(result.course, bars_per_year))


def _until(own: SymbolHistory, rows: slice) -> SymbolHistory:
    """A history without the bars after some rows."""
    return SymbolHistory(
        seen=own.seen[: rows.stop],
        traded=own.traded[: rows.stop],
        actions=own.actions,
        moments=own.moments[: rows.stop],
        series=own.series,
        increment=own.increment,
    )
