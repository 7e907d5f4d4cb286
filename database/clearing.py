"""Removing rows whose time has passed: what the lake or the ledger does not need any more."""

from __future__ import annotations

from datetime import datetime

from psycopg import sql

from database.connection import Database

CLEARED = {
    "service_heartbeat": "beat_at",
    "answered_request": "at",
    "live_bar": "ts",
    "signal": "ts",
    "delivery": "at",
}
"""Tables that are kept for some days, with the time of their rows.

Orders, executions, ledger, audit, corrections and articles are kept for good.
"""


def clear_old(database: Database, table: str, before: datetime) -> int:
    """Remove the rows of an earlier time from a table.

    Args:
        database: The database.
        table: One of `CLEARED`.
        before: Rows of a time before it go.

    Returns:
        How many went.

    Raises:
        DatabaseError: The database refused; nothing was removed.
    """
    statement = sql.SQL("DELETE FROM {} WHERE {} < %s").format(
        sql.Identifier(table), sql.Identifier(CLEARED[table])
    )
    with database.transaction() as rows:
        return rows.execute(statement, [before]).rowcount
