"""Gaps: sessions of which bars are missing, until they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import date
from typing import Literal

from psycopg.rows import class_row

from database.connection import Database

_RECORD = """
INSERT INTO gap AS stored (symbol, interval, session, expected, present, state, reason)
VALUES (%s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (symbol, interval, session) DO UPDATE
SET (expected, present, state, reason)
    = ROW (excluded.expected, excluded.present, excluded.state, excluded.reason)
WHERE (stored.expected, stored.present, stored.state, stored.reason) IS DISTINCT FROM
    (excluded.expected, excluded.present, excluded.state, excluded.reason)
"""

_CLOSE = """
UPDATE gap SET state = 'closed', present = expected, reason = ''
WHERE interval = %s AND state = 'open' AND symbol = ANY(%s)
    AND (symbol, session) NOT IN (SELECT * FROM unnest(%s::text[], %s::date[]))
"""

_OPEN = """
SELECT symbol, interval, session, expected, present, state, reason FROM gap
WHERE state = 'open' AND (%(symbols)s::text[] IS NULL OR symbol = ANY(%(symbols)s))
    AND (%(interval)s::text IS NULL OR interval = %(interval)s)
ORDER BY symbol, interval, session
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionGap:
    """What is missing of a symbol's session.

    Attributes:
        symbol: The symbol.
        interval: Of the bars, e.g. `1m`.
        session: The session's date.
        expected: How many bars the calendar expects.
        present: How many there are.
        state: `open` until the bars have come, then `closed`.
        reason: Why they are missing, e.g. `not served`; empty when closed.
    """

    symbol: str
    interval: str
    session: date
    expected: int
    present: int
    state: Literal["open", "closed"]
    reason: str = ""


def record_gaps(database: Database, gaps: Sequence[SessionGap]) -> int:
    """Note what is known of these sessions now; how many of them that changes.

    Raises:
        DatabaseError: The database did not take them; none was noted.
    """
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.executemany(_RECORD, [astuple(gap) for gap in gaps])
        return max(cursor.rowcount, 0)


def replace_open_gaps(
    database: Database, interval: str, symbols: Sequence[str], gaps: Sequence[SessionGap]
) -> int:
    """Make these the open gaps of symbols, and close the others; how many sessions that changes.

    Args:
        database: The database.
        interval: Of the gaps.
        symbols: All whose gaps are given, those without any as well.
        gaps: The open gaps.

    Raises:
        DatabaseError: The database did not take them; nothing was changed.
    """
    with database.transaction() as connection, connection.cursor() as cursor:
        cursor.executemany(_RECORD, [astuple(gap) for gap in gaps])
        changed = max(cursor.rowcount, 0)
        names, sessions = [gap.symbol for gap in gaps], [gap.session for gap in gaps]
        cursor.execute(_CLOSE, [interval, list(symbols), names, sessions])
        return changed + max(cursor.rowcount, 0)


def open_gaps(
    database: Database, symbols: Sequence[str] | None = None, interval: str | None = None
) -> list[SessionGap]:
    """The gaps that are open, by symbol, interval and session.

    Args:
        database: The database.
        symbols: Of these symbols alone; of all by default.
        interval: Of this interval alone; of all by default.
    """
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(SessionGap)) as cursor,
    ):
        wanted = {"symbols": list(symbols) if symbols is not None else None, "interval": interval}
        return cursor.execute(_OPEN, wanted).fetchall()
