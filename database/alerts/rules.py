"""Alert rules, whoever made them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from database.alerts.locks import lock_rules
from database.connection import Database
from trading.alerts.rules import AlertRule, alert_rule
from trading.errors import ParameterError

Origin = Literal["command", "file", "api"]
Connection = psycopg.Connection[TupleRow]

_READ = """
SELECT definition, enabled, origin, created_by, updated_at FROM alert_rule ORDER BY name
"""

_PUT = """
INSERT INTO alert_rule AS stored (name, definition, origin, created_by) VALUES (%s, %s, %s, %s)
ON CONFLICT (name) DO UPDATE
SET definition = excluded.definition, origin = excluded.origin, updated_at = clock_timestamp()
WHERE stored.definition IS DISTINCT FROM excluded.definition
RETURNING (xmax = 0)
"""

_END_STATES = """
WITH ended AS (DELETE FROM alert_state WHERE rule = %(rule)s RETURNING rule, subject, state)
INSERT INTO alert_event (rule, subject, kind, severity, message, at, identity)
SELECT rule, subject, 'resolved', 'info', %(why)s, clock_timestamp(),
    rule || ':' || subject || ':' || %(why)s || ':' || txid_current()
FROM ended WHERE state = 'firing'
"""


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule with where it is from.

    Attributes:
        rule: The rule.
        enabled: Whether it is looked at.
        origin: Who made it: a command, the file of rules, or the API.
        created_by: The user or key that did.
        updated_at: When it was last changed.
    """

    rule: AlertRule
    enabled: bool
    origin: Origin
    created_by: str
    updated_at: datetime


def stored_rules(database: Database) -> list[StoredRule]:
    """All rules, by name."""
    with database.transaction() as connection:
        rows = connection.execute(_READ).fetchall()
    return [StoredRule(alert_rule(definition), *rest) for definition, *rest in rows]


def put_rule(
    database: Database, rule: AlertRule, origin: Origin, created_by: str
) -> Literal["added", "changed", "unchanged"]:
    """Store a rule; one of its name is replaced, and what it said counts no more.

    Raises:
        ParameterError: The file of rules has one of this name.
        DatabaseError: The database did not take it.
    """
    with database.transaction() as connection:
        lock_rules(connection)
        if origin != "file":
            _refuse_files_own(connection, rule.name)
        return _put(connection, rule, origin, created_by)


def remove_rule(database: Database, name: str) -> None:
    """Remove a rule; what it said stays in the log.

    Raises:
        ParameterError: There is none of the name, or the file of rules has it.
        DatabaseError: The database did not do it.
    """
    with database.transaction() as connection:
        lock_rules(connection)
        _refuse_files_own(connection, name)
        if not _remove(connection, name):
            names = [
                str(n) for (n,) in connection.execute("SELECT name FROM alert_rule ORDER BY 1")
            ]
            known = f"there are {', '.join(names[:10])}" if names else "there are none yet"
            allowed = f"the name of an alert rule ({known})"
            raise ParameterError("name", name, allowed, "see trading alerts list")


def replace_file_rules(database: Database, rules: Collection[AlertRule]) -> int:
    """Make the rules of the file those given; how many that adds, changes or removes.

    Raises:
        ParameterError: A rule of the name was made by a command or the API.
        DatabaseError: The database did not take them; none was changed.
    """
    with database.transaction() as connection:
        lock_rules(connection)
        rows = connection.execute("SELECT name, origin FROM alert_rule").fetchall()
        origins = dict(rows)
        for rule in rules:
            if origins.get(rule.name, "file") != "file":
                allowed = (
                    "free for the file of rules: a command or the API made a rule of that name"
                )
                next_step = f"rename it in the file, or run trading alerts remove {rule.name}"
                raise ParameterError("name", rule.name, allowed, next_step)
        wanted = {rule.name for rule in rules}
        gone = [name for name, origin in rows if origin == "file" and name not in wanted]
        moved = sum(_remove(connection, name) for name in gone)
        return moved + sum(_put(connection, rule, "file", "file") != "unchanged" for rule in rules)


def _put(
    connection: Connection, rule: AlertRule, origin: Origin, created_by: str
) -> Literal["added", "changed", "unchanged"]:
    content = Jsonb(rule.model_dump(mode="json"))
    row = connection.execute(_PUT, [rule.name, content, origin, created_by]).fetchone()
    if row is None:
        return "unchanged"
    if row[0]:
        return "added"
    connection.execute(_END_STATES, {"rule": rule.name, "why": "The rule was changed."})
    return "changed"


def _remove(connection: Connection, name: str) -> bool:
    found = connection.execute("DELETE FROM alert_rule WHERE name = %s", [name]).rowcount > 0
    if found:
        connection.execute(_END_STATES, {"rule": name, "why": "The rule was removed."})
    return found


def _refuse_files_own(connection: Connection, name: str) -> None:
    row = connection.execute("SELECT origin FROM alert_rule WHERE name = %s", [name]).fetchone()
    if row is not None and row[0] == "file":
        allowed = "a rule that commands and the API may change: the file of rules has it"
        raise ParameterError("name", name, allowed, "change it in that file")
