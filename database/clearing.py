"""Removing rows whose time has passed: what the lake or the ledger does not need any more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from psycopg import sql

from database.connection import Database

_OLD = {
    "service_heartbeat": "beat_at",
    "answered_request": "at",
    "live_bar": "ts",
    "signal": "ts",
    "delivery": "at",
}
"""Tables that are kept for some days, with the time of their rows.

Orders, executions, ledger, audit, corrections and articles are kept for good.
"""


def clear_old(database: Database, before: datetime) -> Mapping[str, int]:
    """Remove the rows of an earlier time.

    Args:
        database: The database.
        before: Rows of a time before it go.

    Returns:
        How many went, by table.

    Raises:
        DatabaseError: The database refused; nothing of that table was removed.
    """
    gone = {}
    for table, column in _OLD.items():
        statement = sql.SQL("DELETE FROM {} WHERE {} < %s").format(
            sql.Identifier(table), sql.Identifier(column)
        )
        with database.transaction() as rows:
            gone[table] = rows.execute(statement, [before]).rowcount
    return gone
