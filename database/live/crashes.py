"""Processes that crash as soon as they are begun, as who begins them again says.

A row of `service_heartbeat` with the number of crashes in its detail: no sign of life.
"""

from __future__ import annotations

from psycopg.types.json import Jsonb

from database.connection import Database
from trading.operations.crashes import Crashes

_REPORT = """
INSERT INTO service_heartbeat (service, instance, started_at, beat_at, state, detail)
VALUES (%s, %s, %s, now(), 'degraded', %s)
ON CONFLICT (service, instance) DO UPDATE
SET (started_at, beat_at, detail) = ROW (excluded.started_at, excluded.beat_at, excluded.detail)
"""

_CLEAR = """
DELETE FROM service_heartbeat
WHERE instance = %s AND detail ? 'crashes' AND NOT service = ANY(%s)
"""

_READ = """
SELECT service, started_at, (detail->>'crashes')::integer, detail->>'said' FROM service_heartbeat
WHERE detail ? 'crashes' AND beat_at > now() - interval '1 minute' ORDER BY service
"""


def report_crashes(database: Database, reporter: str, found: list[Crashes]) -> None:
    """Say which processes crash as soon as they are begun; those not named do no more.

    Args:
        database: Where it is said. A report counts for a minute.
        reporter: Who begins the processes again.
        found: Their crashes.

    Raises:
        DatabaseError: The database did not take it.
    """
    with database.transaction() as rows:
        for one in found:
            detail = Jsonb({"crashes": one.count, "said": one.said})
            rows.execute(_REPORT, [one.service, reporter, one.since, detail])
        rows.execute(_CLEAR, [reporter, [one.service for one in found]])


def crashing(database: Database) -> list[Crashes]:
    """The processes that crash as soon as they are begun, by their names."""
    with database.transaction() as rows:
        return [Crashes(*row) for row in rows.execute(_READ).fetchall()]
