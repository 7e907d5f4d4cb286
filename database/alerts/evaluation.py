"""One transaction from what was seen to states, events and notifications: all of them or none."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache

from psycopg.types.json import Jsonb

from database.alerts.locks import lock_rules
from database.alerts.telling import Addressees, Connection, tell_change
from database.connection import Database
from trading.alerts.evaluation import Evaluation, Key, evaluated, keys_needed
from trading.alerts.machine import AlertState, Change
from trading.alerts.observations import Clock, Observation
from trading.alerts.rules import AlertRule, alert_rule
from trading.instruments.clock import moment_of, nanoseconds_of

_RULES = "SELECT definition::text FROM alert_rule WHERE enabled ORDER BY name"

_STATES = """
SELECT rule, subject, memory FROM alert_state
WHERE rule = ANY(%(whole)s)
    OR (rule, subject) IN (SELECT * FROM unnest(%(rules)s::text[], %(subjects)s::text[]))
    OR (%(firing)s AND state = 'firing')
"""

_SAVE = """
INSERT INTO alert_state (rule, subject, state, since, last_sent_at, memory)
VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (rule, subject) DO UPDATE
SET (state, since, last_sent_at, memory)
    = (excluded.state, excluded.since, excluded.last_sent_at, excluded.memory)
"""


def evaluate(
    database: Database,
    observations: Sequence[Observation],
    addressees: Addressees,
    now: datetime,
) -> list[Change]:
    """Look at observations with all rules, and store what came of it.

    What was looked at before changes nothing, so that a process that died anywhere may look again.

    Args:
        database: The database.
        observations: In order for each subject.
        addressees: Who is told.
        now: The time on the wall.

    Returns:
        What there is to tell that had not been told before.

    Raises:
        DatabaseError: The database did not take it; nothing was stored.
    """
    with database.transaction() as connection:
        lock_rules(connection)
        rules = [_rule(text) for (text,) in connection.execute(_RULES)]
        states = _states(connection, rules, observations)
        found = evaluated(rules, states, observations, nanoseconds_of(now))
        _save(connection, found)
        by_name = {rule.name: rule for rule in rules}
        return [
            change
            for change in found.changes
            if _tell(connection, by_name[change.rule], change, addressees, now)
        ]


@lru_cache(maxsize=1024)
def _rule(text: str) -> AlertRule:
    return alert_rule(json.loads(text))


def _states(
    connection: Connection, rules: Sequence[AlertRule], observations: Sequence[Observation]
) -> Mapping[Key, AlertState]:
    keys, whole = keys_needed(rules, observations)
    wanted = {
        "whole": sorted(whole),
        "rules": [rule for rule, _ in keys],
        "subjects": [subject for _, subject in keys],
        "firing": any(isinstance(observation, Clock) for observation in observations),
    }
    rows = connection.execute(_STATES, wanted).fetchall()
    return {(rule, subject): AlertState(**memory) for rule, subject, memory in rows}


def _save(connection: Connection, found: Evaluation) -> None:
    rows = [
        (
            rule,
            subject,
            "firing" if state.is_firing else "ok",
            moment_of(state.since),
            None if state.last_told_at is None else moment_of(state.last_told_at),
            Jsonb(asdict(state)),
        )
        for (rule, subject), state in found.states.items()
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_SAVE, rows)


def _tell(
    connection: Connection, rule: AlertRule, change: Change, addressees: Addressees, now: datetime
) -> bool:
    """Tell those of the rule; whether that is new."""
    return tell_change(
        connection, change, addressees, now, channels=rule.channels,
        notifies=change.kind != "resolved" or rule.notify_resolved,
    )  # fmt: skip
