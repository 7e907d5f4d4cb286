"""Signs of life of the processes, gaps, and who did what."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from api.desk.reading.rows import rows_of
from database.connection import Database

_BEATS = """
SELECT service, instance, started_at, beat_at, state, detail FROM service_heartbeat
ORDER BY service, instance
"""

_GAPS = """
SELECT symbol, interval, session FROM gap
WHERE state = 'open' AND session BETWEEN %s AND %s
"""

_AUDIT = "SELECT at, who, action, subject, why FROM audit ORDER BY id DESC LIMIT %s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last sign of life of a process; fields as in the table `service_heartbeat`.

    Attributes:
        service: What it is, e.g. `executor`.
        instance: Which of them.
        started_at: Since when it runs.
        beat_at: When it last said so.
        state: What it said.
        detail: What else it said.
    """

    service: str
    instance: str
    started_at: datetime
    beat_at: datetime
    state: str
    detail: dict[str, Any] = field(default_factory=dict)


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


def heartbeats(database: Database) -> list[Heartbeat]:
    """The last sign of life of every process."""
    return rows_of(database, Heartbeat, _BEATS)


def open_gap_sessions(database: Database, first: date, last: date) -> set[tuple[str, str, date]]:
    """Symbol, interval and date of the sessions that still lack bars."""
    with database.transaction() as connection:
        return set(connection.execute(_GAPS, [first, last]).fetchall())


def audit(database: Database, limit: int = 50) -> list[AuditRow]:
    """What was done last, the newest first."""
    return rows_of(database, AuditRow, _AUDIT, [limit])
