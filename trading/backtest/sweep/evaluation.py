"""A strategy's answer, checked; what goes wrong in it is told with the author's own line."""

from __future__ import annotations

import inspect
import linecache
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.errors import DataError, TradingError
from trading.strategies.protocol import BUY, HOLD, SELL, Context, Signals, Strategy


def evaluated(
    strategy: Strategy[Any],
    bars: Bars,
    interval: Interval,
    context: Context,
    parameters: BaseModel,
) -> Signals:
    """The signals of a strategy.

    Raises:
        DataError: The strategy raised, and where, or its answer is none.
    """
    try:
        found = strategy.evaluate(bars, interval, context, parameters)
    except TradingError:
        raise
    except Exception as error:
        raise _wrong(
            strategy, f"{type(error).__name__}: {error}{_place(strategy, error)}"
        ) from error
    if problem := _problem(found, len(bars)):
        raise _wrong(strategy, problem)
    return found


def source_of(strategy: Strategy[Any]) -> str:
    """The text of the module that a strategy is defined in; empty when it has none."""
    try:
        return inspect.getsource(inspect.getmodule(type(strategy)) or type(strategy))
    except (OSError, TypeError):
        return ""


def _problem(found: object, count: int) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if not isinstance(found, Signals):
        return f"it returned {type(found).__name__}, not Signals"
    if found.signal.shape != (count,):
        return f"its signals have the shape {found.signal.shape} for {count} bars"
    if not np.isin(found.signal, (BUY, HOLD, SELL)).all():
        return f"its signals are not all {BUY}, {HOLD} or {SELL}"
    if found.target is not None and found.target.shape != (count,):
        return f"its targets have the shape {found.target.shape} for {count} bars"
    return ""


def _place(strategy: Strategy[Any], error: Exception) -> str:
    """The last line of the strategy's own module that the error went through."""
    frames = traceback.extract_tb(error.__traceback__)
    try:
        own = inspect.getfile(type(strategy))
    except (OSError, TypeError):
        own = ""
    mine = [frame for frame in frames if frame.filename == own] or frames[-1:]
    if not mine:
        return ""
    last = mine[-1]
    text = (last.line or linecache.getline(last.filename, last.lineno or 0)).strip()
    return f" in line {last.lineno} of {Path(last.filename).name}, `{text}`"


def _wrong(strategy: Strategy[Any], problem: str) -> DataError:
    return DataError(f"strategy {strategy.name}", problem, "correct the strategy")
