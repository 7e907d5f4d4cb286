"""How a stored backtest's account went, folded from its ledger and the bars that silver has now.

The file keeps what was done, not what it was worth at each bar. The course counts only when it
comes to the metrics that were stored: where bars or actions have changed since, there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lake.backtests.bars import known_bars
from lake.backtests.request import PORTFOLIO, BacktestRequest
from lake.backtests.stored import StoredBacktest, id_of
from trading.arrays import Timestamps
from trading.backtest.metrics import metrics
from trading.backtest.result import Course
from trading.backtest.sweep.replay import replayed
from trading.backtest.sweep.trial import Window
from trading.bars.intervals import Interval
from trading.errors import DataError
from trading.instruments.clock import bar_dates
from trading.portfolio.ledger import LedgerEvent

_COMPARED = (
    "total_return", "max_drawdown", "value_at_risk", "conditional_value_at_risk", "exposure",
    "turnover", "trades", "expectancy",
)  # fmt: skip
"""Metrics that tell one course from another; the others are made of these or of their quotients."""

_NEAR = 1e-9


def stored_course(lake_dir: str, stored: StoredBacktest, ledger: Sequence[LedgerEvent]) -> Course:
    """How the account of a stored backtest went.

    Args:
        lake_dir: The lake's folder or URL.
        stored: The result.
        ledger: All of its events.

    Raises:
        DataError: The bars are no longer those that it was computed from.
        ParameterError: Silver has no such bars, or the strategy is not known here.
        ContentError, StorageError: Silver cannot be read.
    """
    request = _request(lake_dir, stored)
    histories = [known_bars(request, symbol).history for symbol in stored.symbols]
    rows = [_rows(one.seen.timestamps, stored) for one in histories]
    course = replayed(Window.of(histories, rows, request.interval).market, ledger)
    if not _is_as_stored(course, stored):
        raise DataError(
            id_of(stored.key),
            "bars or actions of its window have changed since it was computed",
            "run the backtest again",
        )
    return course


def _request(lake_dir: str, stored: StoredBacktest) -> BacktestRequest:
    last = bar_dates(np.array([stored.last]))[0].item()
    return BacktestRequest(
        lake_dir=lake_dir,
        strategy=stored.strategy,
        interval=Interval(stored.interval),
        sets=(),
        symbols=stored.symbols,
        portfolio=stored.key.symbol == PORTFOLIO,
        end=last,
    )


def _rows(stamps: Timestamps, stored: StoredBacktest) -> slice:
    first = int(np.searchsorted(stamps, stored.ledger_first))
    return slice(first, int(np.searchsorted(stamps, stored.last, side="right")))


def _is_as_stored(course: Course, stored: StoredBacktest) -> bool:
    edges = [course.timestamps[0], course.timestamps[-1]]
    if edges != [stored.ledger_first, stored.last]:
        return False
    found, stored_metrics = metrics(course, 1.0), stored.whole
    return _is_near(float(course.equity[-1]), float(stored.final_equity)) and all(
        _is_near(getattr(found, name), getattr(stored_metrics, name)) for name in _COMPARED
    )


def _is_near(a: float, b: float) -> bool:
    # What is not defined is stored as null.
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=_NEAR, abs_tol=_NEAR)
