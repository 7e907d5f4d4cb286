"""Heartbeats of the processes that run all day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from database.connection import Database

ServiceState = Literal["starting", "running", "degraded", "stopped"]

_BEAT = """
INSERT INTO service_heartbeat (service, instance, started_at, beat_at, state, detail)
VALUES (%s, %s, %s, now(), %s, %s)
ON CONFLICT (service, instance) DO UPDATE
SET (started_at, beat_at, state, detail)
    = ROW (excluded.started_at, excluded.beat_at, excluded.state, excluded.detail)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """The last heartbeat of a process.

    Attributes:
        service: What it is, e.g. `windows`.
        instance: Which of them.
        started_at: When it began.
        beat_at: When it said so.
        state: What it said.
        detail: Its own figures.
        age_seconds: How long ago that was by the database's clock.
    """

    service: str
    instance: str
    started_at: datetime
    beat_at: datetime
    state: ServiceState
    detail: Mapping[str, Any]
    age_seconds: float


def beat(
    database: Database,
    service: str,
    instance: str,
    *,
    started_at: datetime,
    state: ServiceState,
    detail: Mapping[str, Any],
) -> None:
    """Say that a process lives.

    Args:
        database: Where it is said.
        service: What the process is, e.g. `windows`.
        instance: Which of them.
        started_at: When it began.
        state: How it is.
        detail: Its own figures, as JSON can hold them.

    Raises:
        DatabaseError: The database did not take it.
    """
    with database.transaction() as connection:
        connection.execute(_BEAT, [service, instance, started_at, state, Jsonb(dict(detail))])


def heartbeats(database: Database) -> list[Heartbeat]:
    """The last heartbeat of each process, by service and instance."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(Heartbeat)) as cursor,
    ):
        return cursor.execute(
            "SELECT service, instance, started_at, beat_at, state, detail, "
            "extract(epoch FROM now() - beat_at)::float8 AS age_seconds "
            "FROM service_heartbeat WHERE NOT detail ? 'crashes' ORDER BY service, instance"
        ).fetchall()
