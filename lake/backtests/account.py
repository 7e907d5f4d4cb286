"""One account's bars, put together once for all parameter sets that a process tries on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lake.backtests.bars import known_bars
from lake.backtests.request import BacktestRequest
from lake.silver.evidence import digest
from trading.backtest.sweep.evaluation import source_of
from trading.backtest.sweep.folds import folds
from trading.backtest.sweep.trial import SymbolHistory, Window
from trading.errors import ParameterError
from trading.instruments.clock import local_times
from trading.instruments.pace import pace
from trading.strategies.registry import BUILT_IN

VERSION = "1"
"""Part of every fingerprint: raised when equal bars and parameters come to other results."""

FEWEST_BARS = 10
"""A window of fewer bars says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """What one account trades.

    Attributes:
        name: The symbol, or `portfolio`.
        histories: What is known of each of its symbols.
        window: The bars that are traded.
        bars_per_year: Of the window's pace; NaN where it follows no calendar.
        evidence: All that its results depend on but the parameter set, as JSON can hold it.
    """

    name: str
    histories: tuple[SymbolHistory, ...]
    window: Window
    bars_per_year: float
    evidence: str

    def fingerprint(self, *parts: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
        """Hash of the account and of what else a result depends on."""
        return digest(self.evidence, *parts)


def account(request: BacktestRequest, name: str) -> Account:
    """Read and put together what an account trades.

    Raises:
        ContentError: A file is damaged.
        DataError: The bars cannot be used.
        ParameterError: There are no bars, or too few in the window or for its folds.
        StorageError: A file cannot be read.
    """
    known = [known_bars(request, symbol) for symbol in request.symbols_of(name)]
    histories = tuple(one.history for one in known)
    rows = [own.rows(request.start, request.end) for own in histories]
    _check_window(request, name, histories, rows)
    window = Window.of(histories, rows, request.interval)
    count = len(window.market.clock)
    if count < FEWEST_BARS:
        raise ParameterError(
            "start", str(request.start), f"early enough: the window has {count} bars of {name}, "
            f"and {FEWEST_BARS} are the fewest", "choose a longer time",
        )  # fmt: skip
    if request.folds:
        folds(count, request.folds)  # refuses before anything of the request is computed
    stamps = window.market.clock.starts.view("datetime64[ns]")
    year = pace(stamps).bars_per_year
    return Account(
        name, histories, window, math.nan if year is None else year, _evidence(request, known)
    )


def _check_window(
    request: BacktestRequest, name: str, histories: Sequence[SymbolHistory], rows: Sequence[slice]
) -> None:
    """Refuse a window without a bar, and say where there are some."""
    stamps = np.concatenate([own.traded.timestamps for own in histories])
    if not len(stamps) or any(part.start < part.stop for part in rows):
        return
    first, last = local_times(np.array([stamps.min(), stamps.max()])).astype("datetime64[D]")
    raise ParameterError(
        "start", str(request.start), f"a day from {first} to {last}, where the bars of {name} lie",
        "choose another, or bring later bars into the lake first",
    )  # fmt: skip


def _evidence(request: BacktestRequest, known: list[Any]) -> str:
    strategy = request.chosen_strategy
    own = strategy.name not in BUILT_IN
    return digest(
        VERSION,
        strategy.name,
        strategy.version,
        # A user's own strategy changes more often than its version does.
        source_of(strategy) if own else "",
        request.interval.value,
        [str(request.start), str(request.end)],
        request.assumptions.model_dump(mode="json"),
        [[one.history.seen.symbol, one.digest] for one in known],
    )
