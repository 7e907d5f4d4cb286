"""How an account went, folded again from its ledger and the bars that it was marked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats
from trading.backtest.market import Market
from trading.backtest.result import Course, Result
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.risk.watch import RiskState
from trading.units import UNIT

Rows = npt.NDArray[np.int64]

_CHANGES = (EventKind.FILL, EventKind.SPLIT)
"""The events that change how many shares are held."""


def replayed(market: Market, ledger: Sequence[LedgerEvent]) -> Course:
    """What `Result.course` was when the ledger was written.

    Args:
        market: The same bars.
        ledger: All events of the run.

    Returns:
        The course; its equity in float64 arithmetic.
    """
    stamps = np.array([event.timestamp for event in ledger], np.int64)
    rows = np.searchsorted(market.clock.starts, stamps)
    equity = _cash(ledger, rows, len(market.clock))
    for column, symbol in enumerate(market.symbols):
        own = [i for i, event in enumerate(ledger) if event.symbol == symbol]
        if own:
            events = [ledger[i] for i in own]
            equity += _value(market, column, events, rows[own])
    account = Account.of(ledger)
    result = Result.of(
        market=market, ledger=list(ledger), curve=[0] * len(equity), account=account, orders=[],
        risk=RiskState(),
    )  # fmt: skip
    course = result.course
    return Course(
        timestamps=course.timestamps,
        equity=equity,
        before=np.concatenate(([0.0], equity[:-1])) + result.deposits,
        traded=course.traded,
        invested=course.invested,
        closed=course.closed,
        pnl=course.pnl,
    )


def combined(courses: Sequence[Course]) -> Course:
    """Several accounts of their own as if they were one, on the clock of all their bars."""
    if len(courses) == 1:
        return courses[0]
    stamps = np.unique(np.concatenate([course.timestamps for course in courses]))
    total = {name: np.zeros(len(stamps)) for name in ("equity", "before", "traded")}
    invested = np.zeros(len(stamps), np.bool_)
    for course in courses:
        own = np.searchsorted(course.timestamps, stamps, side="right") - 1
        known = own >= 0
        has = np.isin(stamps, course.timestamps)
        equity = np.where(known, course.equity[own], 0.0)
        total["equity"] += equity
        total["before"] += np.where(has, course.before[own], equity)
        total["traded"] += np.where(has, course.traded[own], 0.0)
        invested |= known & course.invested[own]
    return Course(
        timestamps=stamps,
        invested=invested,
        closed=np.concatenate([course.closed for course in courses]),
        pnl=np.concatenate([course.pnl for course in courses]),
        **total,
    )


def _cash(ledger: Sequence[LedgerEvent], rows: Rows, count: int) -> Floats:
    account, after = Account(), []
    for event in ledger:
        account.apply(event)
        after.append(account.cash / UNIT / UNIT)
    return _steps(np.array(after, np.float64), rows, count)


def _value(market: Market, column: int, events: Sequence[LedgerEvent], rows: Rows) -> Floats:
    """What a symbol's shares are worth at each row."""
    held = np.cumsum([e.quantity if e.kind in _CHANGES else 0 for e in events])
    shares = _steps(held / UNIT, rows, len(market.clock))
    closes = market.prices[3, :, column] / UNIT
    last = np.maximum.accumulate(np.where(closes > 0, np.arange(len(closes)), -1))
    marks: Floats = np.where(last >= 0, closes[np.maximum(last, 0)], 0.0)
    for event, row in zip(events, rows.tolist(), strict=True):
        if event.kind is EventKind.SPLIT:
            # A mark of before the split, where there was no bar since, is of old shares.
            marks[row:][last[row:] < row] /= event.price / UNIT
    worth: Floats = shares * marks
    return worth


def _steps(after: Floats, rows: Rows, count: int) -> Floats:
    """The value after the last event at or before each row, 0 before the first."""
    last = np.searchsorted(rows, np.arange(count), side="right") - 1
    steps: Floats = np.where(last >= 0, after[np.maximum(last, 0)] if len(after) else 0.0, 0.0)
    return steps
