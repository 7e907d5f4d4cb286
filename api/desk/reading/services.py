"""Gaps, and who did what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from api.desk.reading.rows import rows_of
from database.connection import Database

_GAPS = """
SELECT symbol, interval, session FROM gap
WHERE state = 'open' AND session BETWEEN %s AND %s
"""

_AUDIT = "SELECT at, who, action, subject, why FROM audit ORDER BY id DESC LIMIT %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRow:
    """Who did what, and why.

    Attributes:
        at: When.
        who: The key's name or the command's user.
        action: What was done.
        subject: To what.
        why: The reason given.
    """

    at: datetime
    who: str
    action: str
    subject: str
    why: str


def open_gap_sessions(database: Database, first: date, last: date) -> set[tuple[str, str, date]]:
    """Symbol, interval and date of the sessions that still lack bars."""
    with database.transaction() as connection:
        return set(connection.execute(_GAPS, [first, last]).fetchall())


def audit(database: Database, limit: int = 50) -> list[AuditRow]:
    """What was done last, the newest first."""
    return rows_of(database, AuditRow, _AUDIT, [limit])
