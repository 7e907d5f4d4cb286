"""One pass over a symbol's history: adjusted bars, indicators and signals of all of it.

Truncating the input after t leaves everything up to t equal to the bit, so one pass serves all
partitions that are adjusted for the same actions. Passes are kept for as long as a process makes
partitions of the same inputs; each process makes its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from lake.gold.history import History
from lake.gold.made_of import ended_blocks
from lake.gold.news_history import NewsHistory
from trading.arrays import Floats, Timestamps
from trading.bars.adjustment import adjusted
from trading.bars.context import as_of, tolerance
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.errors import DataError
from trading.indicators.columns import common_columns
from trading.instruments.actions import CorporateAction
from trading.strategies.protocol import Context, Signals, Strategy
from trading.strategies.registry import BUILT_IN

CUTS = 8
"""Ends at which a strategy of a user's own is asked again, without the bars after them."""


@dataclass(frozen=True, slots=True, eq=False)
class SignalPass:
    """What gold says of every bar of a history; arrays of shape (n,).

    Attributes:
        bars: The adjusted bars.
        available_at: When each ends, UTC.
        columns: The common indicators and the strategy's own columns by name, in order.
        signal: int8: buy, hold or sell.
    """

    bars: Bars
    available_at: Timestamps
    columns: Mapping[str, npt.NDArray[Any]]
    signal: npt.NDArray[np.int8]


def signal_pass(
    history: History,
    interval: Interval,
    actions: tuple[CorporateAction, ...],
    *,
    strategy: Strategy[Any],
    parameters: BaseModel,
    context: Mapping[str, History | NewsHistory],
) -> SignalPass:
    """Adjust a history and compute its indicators and signals.

    Args:
        history: The symbol's: bars of the interval within sessions, daily bars for all others.
        interval: The interval.
        actions: The actions to adjust for.
        strategy: The strategy.
        parameters: Its parameters.
        context: The history of each series beside the bars, by name; for `NEWS` the news.

    Raises:
        DataError: A dividend cannot be right, a column has two meanings, or the strategy looks
            ahead.
    """
    bars, available_at = history.bars, history.available_at
    bars = adjusted(bars, actions)
    if not interval.is_intraday:
        blocks = ended_blocks(bars, history, interval)
        bars, available_at = blocks.bars, blocks.available_at
    beside = {
        name: _beside(name, held, interval, available_at, parameters)
        for name, held in context.items()
    }
    signals = strategy.evaluate(bars, interval, beside, parameters)
    if strategy.name not in BUILT_IN:
        _check_looks_back(strategy, bars, interval, beside, parameters, signals=signals)
    columns: dict[str, npt.NDArray[Any]] = dict(common_columns(bars))
    for name, values in _own_columns(signals).items():
        if name in columns or name in _RESERVED:
            raise DataError(
                f"strategy {strategy.name}",
                f"its column {name!r} has the name of one that every gold file has",
                "give it another name",
            )
        columns[name] = values
    return SignalPass(bars, available_at, columns, signals.signal)


_RESERVED = frozenset(
    {"timestamp", "available_at", "open", "high", "low", "close", "volume", "signal", "symbol",
     "interval", "strategy"}
)  # fmt: skip


def _own_columns(signals: Signals) -> dict[str, npt.NDArray[Any]]:
    target = {} if signals.target is None else {"target": signals.target}
    return dict(signals.columns) | target


def _beside(
    name: str,
    held: History | NewsHistory,
    interval: Interval,
    available_at: Timestamps,
    parameters: BaseModel,
) -> Floats:
    """What a series said when each bar ended: its last close, or the score of the news."""
    if isinstance(held, NewsHistory):
        return held.series.at(name, available_at, parameters)
    bars, known_at = held.bars, held.available_at
    if not interval.is_intraday:
        blocks = ended_blocks(bars, held, interval)
        bars, known_at = blocks.bars, blocks.available_at
    return as_of(available_at, known_at, bars.close, tolerance(name, parameters))


def _check_looks_back(
    strategy: Strategy[Any],
    bars: Bars,
    interval: Interval,
    context: Context,
    parameters: BaseModel,
    *,
    signals: Signals,
) -> None:
    """Refuse a strategy that says something else of a bar once later ones are there.

    Raises:
        DataError: It does; its partitions would depend on when they were computed.
    """
    # At several ends: one who looks a single bar ahead changes its mind at some of them alone.
    for end in np.unique(np.linspace(len(bars) // CUTS, len(bars) - 1, CUTS).astype(int)).tolist():
        if end < 1:
            continue
        beside = {name: values[:end] for name, values in context.items()}
        before = strategy.evaluate(bars[:end], interval, beside, parameters)
        pairs = [(before.signal, signals.signal[:end])]
        early, late = _own_columns(before), _own_columns(signals)
        pairs += [(values, late[name][:end]) for name, values in early.items()]
        if not all(_equal(one, other) for one, other in pairs):
            raise DataError(
                f"strategy {strategy.name}",
                f"what it says of the first {end:,} bars changes with the bars after them",
                "let it use nothing but the bars up to the one it speaks of",
            )


def _equal(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> bool:
    if one.dtype.kind == "f" and other.dtype.kind == "f":
        return np.array_equal(one, other, equal_nan=True)
    return np.array_equal(one, other)
