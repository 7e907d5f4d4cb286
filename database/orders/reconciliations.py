"""Reconciliations: when ours and the broker's books were compared, and what differed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from database.connection import Database
from trading.execution.comparison import Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReconciliation:
    """One comparison.

    Attributes:
        cause: Why it was made: `start`, `reconnect`, `schedule` or `command`.
        started_at: When it began.
        ended_at: When it ended; None when it did not.
        agreed: Whether both agreed at its end; None when it did not end.
        differences: What was found, whether or not it was then adjusted.
    """

    cause: str
    started_at: datetime
    ended_at: datetime | None
    agreed: bool | None
    differences: list[dict[str, Any]]


def begin_reconciliation(database: Database, account: str, cause: str, at: datetime) -> int:
    """Write down that one begins; its number."""
    with database.transaction() as connection:
        row = connection.execute(
            "INSERT INTO reconciliation (account_id, cause, started_at) VALUES (%s, %s, %s) "
            "RETURNING id",
            [account, cause, at],
        ).fetchone()
    return int(row[0]) if row else 0


def end_reconciliation(
    database: Database,
    number: int,
    at: datetime,
    *,
    agreed: bool,
    differences: Sequence[Difference],
) -> None:
    """Write down how one ended."""
    told = [
        {
            "kind": difference.kind.value,
            "subject": difference.subject,
            "ours": str(difference.ours),
            "theirs": str(difference.theirs),
        }
        for difference in differences
    ]
    with database.transaction() as connection:
        connection.execute(
            "UPDATE reconciliation SET ended_at = %s, agreed = %s, differences = %s WHERE id = %s",
            [at, agreed, Jsonb(told), number],
        )


def last_reconciliation(database: Database, account: str) -> StoredReconciliation | None:
    """The latest one of an account."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(StoredReconciliation)) as cursor,
    ):
        return cursor.execute(
            "SELECT cause, started_at, ended_at, agreed, differences FROM reconciliation "
            "WHERE account_id = %s ORDER BY id DESC LIMIT 1",
            [account],
        ).fetchone()
