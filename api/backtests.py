"""One stored backtest in full: how its account went, and the positions that ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from trading.backtest.result import Course
from trading.instruments.clock import moment_of, to_datetime
from trading.portfolio.account import Account
from trading.portfolio.ledger import LedgerEvent
from trading.portfolio.performance import compounded, drawdowns
from trading.units import to_dollars


@dataclass(frozen=True, slots=True)
class CoursePoint:
    """An account at the close of a bar.

    Attributes:
        at: The bar's start.
        equity: Dollars.
        drawdown: The deepest fall from the peak since the point before, a fraction, at most 0.
    """

    at: datetime
    equity: float
    drawdown: float


@dataclass(frozen=True, slots=True)
class TradeRow:
    """A position from its first share to none.

    Attributes:
        symbol: The symbol.
        opened: When.
        closed: When it came to nothing or changed sides.
        pnl: What it earned after fees in dollars, dividends included.
    """

    symbol: str
    opened: datetime
    closed: datetime
    pnl: Decimal


def course_points(course: Course, most: int) -> list[CoursePoint]:
    """A course in at most so many points, each the last bar of a stretch of about as many bars.

    Args:
        course: How an account went, shape (n,).
        most: How many points, 1 at least.
    """
    count = len(course)
    fallen = drawdowns(compounded(course.returns))
    ends = np.unique(np.linspace(0, count, min(count, most) + 1).round().astype(np.int64))
    deepest = np.minimum.reduceat(fallen, ends[:-1]) if count else fallen
    return [
        CoursePoint(
            to_datetime(course.timestamps[end - 1], UTC), float(course.equity[end - 1]), float(low)
        )
        for end, low in zip(ends[1:].tolist(), deepest, strict=True)
    ]


def trade_rows(ledger: Sequence[LedgerEvent], most: int) -> tuple[list[TradeRow], int]:
    """The last positions that ended, the newest first, and how many there are of all.

    Args:
        ledger: All events of an account.
        most: How many.
    """
    trips = Account.of(ledger).trips
    rows = [
        TradeRow(trip.symbol, moment_of(trip.opened), moment_of(trip.closed), to_dollars(trip.pnl))
        for trip in reversed(trips[-most:] if most else [])
    ]
    return rows, len(trips)
