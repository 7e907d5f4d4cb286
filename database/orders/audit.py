"""Who did what, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow, class_row
from psycopg.types.json import Jsonb

from database.connection import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One deed.

    Attributes:
        at: When.
        who: A person, or the process that acted by itself.
        action: What, e.g. `halt`.
        subject: To what, e.g. an account.
        why: The reason given.
        detail: More.
    """

    at: datetime
    who: str
    action: str
    subject: str
    why: str
    detail: Mapping[str, Any]


def audit(
    connection: psycopg.Connection[TupleRow],
    *,
    who: str,
    action: str,
    subject: str,
    why: str,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Write down a deed within the transaction that does it."""
    connection.execute(
        "INSERT INTO audit (who, action, subject, why, detail) VALUES (%s, %s, %s, %s, %s)",
        [who, action, subject, why, Jsonb(dict(detail or {}))],
    )


def audit_trail(database: Database, subject: str, most: int = 100) -> list[AuditEntry]:
    """The latest deeds on a subject, newest first."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(AuditEntry)) as cursor,
    ):
        return cursor.execute(
            "SELECT at, who, action, subject, why, detail FROM audit WHERE subject = %s "
            "ORDER BY id DESC LIMIT %s",
            [subject, most],
        ).fetchall()
