"""What accounts were worth, for charts; the ledger alone is the truth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Self

import psycopg
from psycopg.rows import TupleRow, class_row

from database.connection import Database
from trading.portfolio.standing import Standing

_COLUMNS = "at, equity, cash, deposits, realized, unrealized, fees, gross, drawdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """An account at one moment; dollars.

    Attributes:
        at: When.
        equity: Cash and positions at their last prices.
        cash: What is there to spend.
        deposits: What was paid in, less what was paid out.
        realized: What closed shares earned before fees.
        unrealized: What open shares would earn.
        fees: All fees.
        gross: The worth of all positions, long and short alike.
        drawdown: Fall of the net asset value per unit from its peak, a fraction.
    """

    at: datetime
    equity: Decimal
    cash: Decimal
    deposits: Decimal
    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    gross: Decimal
    drawdown: float

    @classmethod
    def of(cls, now: Standing, at: datetime, drawdown: float) -> Self:
        """How an account stands, as a point."""
        return cls(
            at=at, equity=now.equity, cash=now.cash, deposits=now.deposits, realized=now.realized,
            unrealized=now.unrealized, fees=now.fees, gross=now.gross, drawdown=drawdown,
        )  # fmt: skip

    @property
    def earned(self) -> Decimal:
        """Profit so far: the equity without what was paid in or out."""
        return self.equity - self.deposits


def write_equity(
    connection: psycopg.Connection[TupleRow], account: str, point: EquityPoint
) -> None:
    """Keep a point, within a transaction; one of the same moment is replaced."""
    connection.execute(
        f"INSERT INTO equity (account_id, {_COLUMNS}) "  # noqa: S608 - our own names
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (account_id, at) DO UPDATE "
        "SET (equity, cash, deposits, realized, unrealized, fees, gross, drawdown) = "
        "(excluded.equity, excluded.cash, excluded.deposits, excluded.realized, "
        "excluded.unrealized, excluded.fees, excluded.gross, excluded.drawdown)".encode(),
        [
            account, point.at, point.equity, point.cash, point.deposits, point.realized,
            point.unrealized, point.fees, point.gross, point.drawdown,
        ],
    )  # fmt: skip


def equity_between(
    database: Database, account: str, start: datetime, end: datetime
) -> list[EquityPoint]:
    """The points in [start, end), in order of time."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(EquityPoint)) as cursor,
    ):
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM equity WHERE account_id = %s "  # noqa: S608 - our own names
            "AND at >= %s AND at < %s ORDER BY at".encode(),
            [account, start, end],
        ).fetchall()


def last_equity(
    database: Database, account: str, before: datetime | None = None
) -> EquityPoint | None:
    """What the account was worth last, or last before a moment; None when it never was anything."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(EquityPoint)) as cursor,
    ):
        return cursor.execute(
            f"SELECT {_COLUMNS} FROM equity WHERE account_id = %s "  # noqa: S608 - our own names
            "AND (%s::timestamptz IS NULL OR at < %s) ORDER BY at DESC LIMIT 1".encode(),
            [account, before, before],
        ).fetchone()


def day_start(database: Database, account: str, midnight: datetime) -> EquityPoint | None:
    """The point from which the profit of a day counts.

    It is the last one before the day, so that the gap at the open belongs to the day; of an account
    that is newer it is the first one.

    Args:
        database: The database.
        account: The account's name.
        midnight: When the day began.
    """
    before = last_equity(database, account, midnight)
    if before is not None:
        return before
    end = midnight + timedelta(days=1)
    return next(iter(equity_between(database, account, midnight, end)), None)
