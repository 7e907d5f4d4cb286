"""Past alerts, firing alerts, and events that have not been published on the bus yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from database.connection import Database
from trading.alerts.rules import Severity

_EVENTS = """
SELECT id, rule, subject, kind, severity, message, at, identity FROM alert_event
WHERE (%(rule)s::text IS NULL OR rule = %(rule)s) ORDER BY id DESC LIMIT %(count)s
"""

_UNPUBLISHED = """
SELECT id, rule, subject, kind, severity, message, at, identity FROM alert_event
WHERE published_at IS NULL ORDER BY id LIMIT %s
"""

_FIRING = """
SELECT s.rule, s.subject, s.since, s.memory ->> 'message' AS message,
    r.definition ->> 'severity' AS severity
FROM alert_state s JOIN alert_rule r ON r.name = s.rule
WHERE s.state = 'firing' ORDER BY s.since, s.rule, s.subject
"""


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """A change of an alert, or a reminder.

    Attributes:
        id: Its number, growing.
        rule: The rule's name.
        subject: What of.
        kind: Whether it began, went on or ended.
        severity: How much it matters.
        message: One sentence.
        at: When.
        identity: The same for the same change.
    """

    id: int
    rule: str
    subject: str
    kind: Literal["firing", "reminder", "resolved"]
    severity: Severity
    message: str
    at: datetime
    identity: str


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """An alert that fires.

    Attributes:
        rule: The rule's name.
        subject: What of.
        since: From when on.
        message: What was said when it began.
        severity: How much it matters.
    """

    rule: str
    subject: str
    since: datetime
    message: str
    severity: Severity


def alert_events(database: Database, count: int = 100, rule: str | None = None) -> list[AlertEvent]:
    """The latest events, the newest first.

    Args:
        database: The database.
        count: How many at most.
        rule: Of this rule alone.
    """
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(AlertEvent)) as cursor,
    ):
        return cursor.execute(_EVENTS, {"rule": rule, "count": count}).fetchall()


def firing_alerts(database: Database) -> list[FiringAlert]:
    """What fires now, the longest first."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(FiringAlert)) as cursor,
    ):
        return cursor.execute(_FIRING).fetchall()


def unpublished_events(database: Database, count: int = 500) -> list[AlertEvent]:
    """What the bus is not known to have, in order."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(AlertEvent)) as cursor,
    ):
        return cursor.execute(_UNPUBLISHED, [count]).fetchall()


def note_published(database: Database, events: Sequence[AlertEvent]) -> None:
    """Note that the bus has these events."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE alert_event SET published_at = clock_timestamp() WHERE id = ANY(%s)",
            [[event.id for event in events]],
        )
