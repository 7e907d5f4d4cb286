"""Alerts: rules, what fires now, what was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, LiteralString

from api.desk.reading.rows import rows_of
from database.connection import Database

_FIRING = """
SELECT alert_state.rule, alert_state.subject, alert_state.since,
    coalesce(said.severity, 'warning') AS severity, coalesce(said.message, '') AS message
FROM alert_state LEFT JOIN LATERAL (
    SELECT severity, message FROM alert_event
    WHERE alert_event.rule = alert_state.rule AND alert_event.subject = alert_state.subject
    ORDER BY id DESC LIMIT 1
) AS said ON true
WHERE state = 'firing'
ORDER BY array_position(ARRAY['critical', 'warning', 'info'], said.severity), since DESC
"""

_EVENTS = """
SELECT alert_event.id, rule, subject, kind, severity, message, at,
    (SELECT string_agg(channel || ' ' || state, ', ' ORDER BY channel)
        FROM notification WHERE event_id = alert_event.id) AS told
FROM alert_event WHERE alert_event.id > %s
"""

_RULES = """
SELECT name, definition, enabled, origin, created_by, updated_at FROM alert_rule ORDER BY name
"""

_LAST = "SELECT coalesce(max(id), 0) FROM alert_event"


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A rule that fires now.

    Attributes:
        rule: The rule's name.
        subject: What of, e.g. a symbol.
        since: Since when.
        severity: `info`, `warning` or `critical`.
        message: One sentence.
    """

    rule: str
    subject: str
    since: datetime
    severity: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertEvent:
    """One transition or reminder; fields as in the table `alert_event`.

    Attributes:
        id: Grows with every event.
        rule: The rule's name.
        subject: What of.
        kind: `firing`, `reminder` or `resolved`.
        severity: How much it matters.
        message: One sentence.
        at: When.
        told: The channels and how it stands with each; None when nobody was told.
    """

    id: int
    rule: str
    subject: str
    kind: str
    severity: str
    message: str
    at: datetime
    told: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule; fields as in the table `alert_rule`.

    Attributes:
        name: Its name.
        definition: What it watches.
        enabled: Whether it does.
        origin: Where it was made.
        created_by: By whom.
        updated_at: When it was changed last.
    """

    name: str
    enabled: bool
    origin: str
    created_by: str
    updated_at: datetime
    definition: dict[str, Any] = field(default_factory=dict)


def firing(database: Database) -> list[Firing]:
    """What fires now, the worst first."""
    return rows_of(database, Firing, _FIRING)


def events_after(database: Database, last: int, limit: int = 1_000) -> list[AlertEvent]:
    """What was said after the event of that id, in order."""
    statement: LiteralString = _EVENTS + "ORDER BY alert_event.id LIMIT %s"
    return rows_of(database, AlertEvent, statement, [last, limit])


def last_events(database: Database, limit: int = 200) -> list[AlertEvent]:
    """What was said last, the newest first."""
    return rows_of(
        database, AlertEvent, _EVENTS + "ORDER BY alert_event.id DESC LIMIT %s", [0, limit]
    )


def last_event_id(database: Database) -> int:
    """The id of the last event; 0 when there is none."""
    with database.transaction() as connection:
        row = connection.execute(_LAST).fetchone()
    return int(row[0]) if row else 0


def rules(database: Database) -> list[Rule]:
    """All rules by name."""
    return rows_of(database, Rule, _RULES)
