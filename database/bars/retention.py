"""Drop months that are old enough, when the lake is known to have them.

A month is verified and dropped in one transaction, during which nobody loads: what is dropped is
what was verified. Interrupted anywhere, the month is there still, and the next run tries again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

import psycopg
import pyarrow as pa
from psycopg import sql
from psycopg.rows import TupleRow

from database.bars.columns import BAR_TABLES
from database.bars.locks import hold_for_retention
from database.bars.months import month_table, months_present, next_month
from database.bars.reading import read_table, symbols_between
from database.connection import Database
from database.errors import DatabaseError
from trading.bars.intervals import Interval
from trading.errors import ParameterError

Verification = Callable[[Interval, str, date, pa.Table], bool]
"""Whether the lake has what the database has: called with the interval, a symbol, a month's first
day and the symbol's rows of that month, with the columns of `database.bars.reading.STORED`.
`VerificationError` says that it cannot be told: the month fails, and the others have their turn."""

LOCK_SECONDS = 10
"""How long dropping may wait for readers, while new ones wait for it."""

_START = (
    "INSERT INTO retention_log (interval, month, state) VALUES (%s, %s, 'started') RETURNING id"
)
_END = """
UPDATE retention_log
SET state = %s, reason = %s, rows = %s, ended_at = clock_timestamp() WHERE id = %s
"""
_INTERRUPTED = """
UPDATE retention_log SET state = 'interrupted', ended_at = clock_timestamp()
WHERE state = 'started' AND interval = %s AND id < %s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthOutcome:
    """What became of a month that is old enough.

    Attributes:
        interval: Of its bars.
        month: Its first day.
        state: `dropped`; `kept`, since the lake lacks some of it; `failed`, to be tried again.
        rows: How many bars it had; None when that is not known.
        reason: Why it is still there.
    """

    interval: Interval
    month: date
    state: str
    rows: int | None = None
    reason: str | None = None


def first_kept(years: int, today: date) -> date:
    """The first day of the first month that is kept; a month is one of UTC.

    Raises:
        ParameterError: `years` is not positive.
    """
    if years < 1:
        raise ParameterError("years", years, "1 or more", "say how many years the database keeps")
    return date(today.year - years, today.month, 1)


def expired_months(database: Database, interval: Interval, years: int, today: date) -> list[date]:
    """The months there that ended `years` years ago or more, by their first days, in order.

    Raises:
        ParameterError: `years` is not positive.
    """
    kept = first_kept(years, today)
    return [month for month in months_present(database, interval) if month < kept]


def drop_expired_months(
    database: Database, interval: Interval, years: int, today: date, verified: Verification
) -> list[MonthOutcome]:
    """Drop each month that is old enough and that `verified` says the lake has; note all of it.

    Args:
        database: The database.
        interval: `1m` or `1d`.
        years: How many years are kept.
        today: From when they are counted back.
        verified: Asked for each symbol of a month, while nobody can load.

    Raises:
        ParameterError: `years` is not positive.
        DatabaseError: The database does not answer. One that refuses to drop a month makes that
            month `failed`, and the others have their turn.
    """
    expired = expired_months(database, interval, years, today)
    return [_dropped(database, interval, month, verified) for month in expired]


def _dropped(
    database: Database, interval: Interval, month: date, verified: Verification
) -> MonthOutcome:
    with database.transaction() as connection:
        row = connection.execute(_START, [interval.value, month]).fetchone()
        assert row is not None  # noqa: S101 - RETURNING always makes a row
    log_id = int(row[0])
    try:
        with database.transaction() as connection:
            hold_for_retention(connection, interval)
            # Runs take turns from here on: an earlier one that has not ended is dead.
            connection.execute(_INTERRUPTED, [interval.value, log_id])
            outcome = _verify_and_drop(database, connection, interval, month, verified)
            _note(connection, outcome, log_id)
    except BaseException as error:
        outcome = MonthOutcome(
            interval=interval, month=month, state="failed", reason=str(error) or repr(error)
        )
        with contextlib.suppress(DatabaseError), database.transaction() as connection:
            _note(connection, outcome, log_id)
        if not isinstance(error, DatabaseError) or database.rows.closed:
            raise
    return outcome


def _verify_and_drop(
    database: Database,
    connection: psycopg.Connection[TupleRow],
    interval: Interval,
    month: date,
    verified: Verification,
) -> MonthOutcome:
    rows = 0
    start, end = (datetime.combine(day, time(), UTC) for day in (month, next_month(month)))
    for symbol in symbols_between(database, interval, start, end):
        table = read_table(database, symbol, interval, start, end)
        rows += len(table)
        if not verified(interval, symbol, month, table):
            return MonthOutcome(
                interval=interval, month=month, state="kept", rows=None,
                reason=f"the lake does not have all bars of {symbol} that the database has",
            )  # fmt: skip
    connection.execute(f"SET LOCAL lock_timeout TO '{LOCK_SECONDS}s'")
    name = sql.Identifier(month_table(interval, month))
    parent = sql.Identifier(BAR_TABLES[interval])
    connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, name))
    connection.execute(sql.SQL("DROP TABLE {}").format(name))
    return MonthOutcome(interval=interval, month=month, state="dropped", rows=rows)


def _note(connection: psycopg.Connection[TupleRow], outcome: MonthOutcome, log_id: int) -> None:
    connection.execute(_END, [outcome.state, outcome.reason, outcome.rows, log_id])
