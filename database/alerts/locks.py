"""Who may do what of alerts at a time, by Postgres' advisory locks."""

from __future__ import annotations

import psycopg
from psycopg.rows import TupleRow

from database.connection import Database

_RULES, _SENDER = 7_340_001, 7_340_002
"""Numbers of this project's own, one for each lock."""


def lock_rules(connection: psycopg.Connection[TupleRow]) -> None:
    """Wait until nobody else evaluates or changes rules, and let nobody until the transaction ends.

    Two processes that evaluate at once would each tell of what the other one has not seen.
    """
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_RULES])


def become_sender(database: Database) -> bool:
    """Whether this connection is the one that sends notifications, until it ends."""
    with database.transaction() as connection:
        row = connection.execute("SELECT pg_try_advisory_lock(%s)", [_SENDER]).fetchone()
    return bool(row and row[0])
