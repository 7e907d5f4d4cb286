"""The book of loads: what was brought in, from whom, by which flow run, and how it ended."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from psycopg.rows import class_row

from database.bars.batch import BarBatch
from database.bars.supersession import unpacked
from database.connection import Database
from database.errors import DatabaseError
from trading.arrays import Timestamps
from trading.bars.intervals import Interval

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

_BEGIN = """
INSERT INTO load_run (
    source, symbol, interval, first_ts, last_ts, rows, known_at, digest, status, flow_run_id
) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'running', %s) RETURNING id
"""

_COMPLETE = """
UPDATE load_run SET status = 'loaded', ended_at = clock_timestamp(),
    timestamps = $2, inserted = $3, updated = $4
WHERE id = $1
"""

# Loads of one symbol take turns: an earlier one that still says so has died, or is about to say
# otherwise itself.
_INTERRUPTED = """
UPDATE load_run SET status = 'interrupted'
WHERE symbol = $1 AND interval = $2 AND status = 'running' AND id < $3
"""

_LOADS = """
SELECT id, source, symbol, interval, first_ts, last_ts, rows, inserted, updated, status,
    known_at, flow_run_id, started_at, ended_at
FROM load_run WHERE (%(symbol)s::text IS NULL OR symbol = %(symbol)s) ORDER BY id
"""

# One that began before a month of it was dropped has lost the bars of that month.
_IN_FORCE = """
SELECT load.source, load.known_at, load.timestamps, EXISTS (
    SELECT FROM retention_log AS log
    WHERE log.interval = load.interval AND log.state = 'dropped' AND log.month >= %(kept)s
        AND log.ended_at >= load.started_at
        AND log.month BETWEEN date_trunc('month', load.first_ts AT TIME ZONE 'UTC')
            AND load.last_ts AT TIME ZONE 'UTC'
)
FROM load_run AS load
WHERE load.symbol = %(symbol)s AND load.interval = %(interval)s AND load.status = 'loaded'
ORDER BY load.id
"""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LoadInForce:
    """A load whose bars are in the database, or were until their month was too old.

    Attributes:
        source: Who delivered the bars.
        known_at: When the source said so.
        timestamps: Starts of its bars, shape (n,), n > 0.
        is_whole: Whether none of its bars that should be there was dropped since.
    """

    source: str
    known_at: datetime
    timestamps: Timestamps
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """A row of `load_run`.

    Attributes:
        id: Its number, which is the `run_id` of the bars that it wrote last.
        source: Who delivered the bars.
        symbol: Their symbol.
        interval: Their interval.
        first_ts: Start of the first bar.
        last_ts: Start of the last bar.
        rows: How many bars.
        inserted: How many were new; None until it has ended well.
        updated: How many changed; None until it has ended well.
        status: `running`, `loaded`, `failed` or `interrupted`; `replaced` when its bars were
            removed, to be loaded again from another file.
        known_at: When the source said so.
        flow_run_id: The flow run that loaded them.
        started_at: When the load began.
        ended_at: When it ended.
    """

    id: int
    source: str
    symbol: str
    interval: str
    first_ts: datetime
    last_ts: datetime
    rows: int
    inserted: int | None
    updated: int | None
    status: str
    known_at: datetime
    flow_run_id: UUID | None
    started_at: datetime
    ended_at: datetime | None


def begin(database: Database, batch: BarBatch, flow_run_id: UUID | None) -> int:
    """Note that a load begins, whatever becomes of it; its number."""
    ts = batch.rows.column("ts")
    values = (
        batch.source, batch.symbol, batch.interval.value, ts[0].as_py(), ts[-1].as_py(),
        len(batch), batch.known_at, batch.digest, flow_run_id,
    )  # fmt: skip
    with database.transaction() as connection:
        row = connection.execute(_BEGIN, values).fetchone()
    assert row is not None  # noqa: S101 - RETURNING always makes a row
    return int(row[0])


def complete(
    cursor: Cursor, batch: BarBatch, run_id: int, timestamps: bytes, counts: tuple[int, int]
) -> None:
    """Note in the load's transaction what it did, and that older ones which never ended are dead.

    Args:
        cursor: In the load's transaction, which holds the symbol.
        batch: What was loaded.
        run_id: The load.
        timestamps: The batch's, packed.
        counts: How many bars were inserted and updated.
    """
    cursor.execute(_COMPLETE, (run_id, timestamps, *counts))
    cursor.execute(_INTERRUPTED, (batch.symbol, batch.interval.value, run_id))


def note_failure(database: Database, run_id: int) -> None:
    """Note that a load failed, if the database still listens."""
    with contextlib.suppress(DatabaseError), database.transaction() as connection:
        connection.execute(
            "UPDATE load_run SET status = 'failed', ended_at = clock_timestamp() WHERE id = %s",
            [run_id],
        )


def loads(database: Database, symbol: str | None = None) -> list[Load]:
    """The loads of a symbol, of all by default, oldest first."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(Load)) as cursor,
    ):
        return cursor.execute(_LOADS, {"symbol": symbol}).fetchall()


def loads_in_force(
    database: Database, symbol: str, interval: Interval, first_kept: date
) -> list[LoadInForce]:
    """The loads of a symbol that ended well and were not replaced, oldest first.

    Args:
        database: The database.
        symbol: The symbol.
        interval: `1m` or `1d`.
        first_kept: The first month that should be there, by its first day.
    """
    wanted = {"symbol": symbol, "interval": interval.value, "kept": first_kept}
    with database.transaction() as connection:
        found = connection.execute(_IN_FORCE, wanted).fetchall()
    return [
        LoadInForce(
            source=source, known_at=known_at, timestamps=unpacked(timestamps), is_whole=not lacks
        )
        for source, known_at, timestamps, lacks in found
    ]
