"""Load bars: new ones by COPY, known ones compared, and what changed kept in `correction`.

A load is a transaction. Whatever the order of the batches, and however often each is loaded, a bar
is in the end what the latest batch with it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pyarrow as pa

from database import loads
from database.bars.batch import BarBatch
from database.bars.columns import BAR_TABLES, INSTANT, ROWS
from database.bars.locks import hold_against_retention, hold_symbol
from database.bars.months import ensure_months, months_of
from database.bars.supersession import not_superseded, packed
from database.connection import Database

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

_NAMES = tuple(ROWS.names)
_COMPARED = (*_NAMES[1:], "source")
_SET = (*_COMPARED, "known_at", "run_id")

_STAGING = f"""
CREATE TEMPORARY TABLE staging ON COMMIT DROP AS SELECT {", ".join(_NAMES)} FROM bar_1m LIMIT 0
"""  # noqa: S608 - our own names


def _of(alias: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{alias}.{name}" for name in names)


_UPSERT = f"""
WITH changed AS (
    INSERT INTO {{table}} AS stored (symbol, {", ".join(_NAMES)}, source, known_at, run_id)
    SELECT $1, {", ".join(_NAMES)}, $2, $3, $4 FROM staging
    ON CONFLICT (symbol, ts) DO UPDATE SET ({", ".join(_SET)}) = ROW ({_of("excluded", _SET)})
    WHERE ({_of("stored", _COMPARED)}) IS DISTINCT FROM ({_of("excluded", _COMPARED)})
    RETURNING old.symbol IS NULL AS is_new, new.ts,
        {", ".join(f"old.{name} AS old_{name}, new.{name} AS new_{name}" for name in _COMPARED)}
), corrected AS (
    INSERT INTO correction
        (symbol, interval, ts, column_name, old_value, new_value, known_at, run_id)
    SELECT $1, $5, ts, column_name, old_value, new_value, $3, $4
    FROM changed CROSS JOIN LATERAL (VALUES
        {", ".join(f"('{name}', old_{name}::text, new_{name}::text)" for name in _COMPARED)}
    ) AS columns (column_name, old_value, new_value)
    WHERE NOT is_new AND old_value IS DISTINCT FROM new_value
    ORDER BY ts, column_name
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM changed
"""  # noqa: S608 - our own names


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What a load did.

    Attributes:
        rows: How many bars the batch has.
        inserted: How many of them are new.
        updated: How many were there with other values; the old ones are in `correction`.
        superseded: How many a later batch had already spoken of; they were left as they are.
    """

    rows: int
    inserted: int = 0
    updated: int = 0
    superseded: int = 0

    @property
    def unchanged(self) -> int:
        """How many were there with the same values; their rows were not touched."""
        return self.rows - self.inserted - self.updated - self.superseded


def load_bars(database: Database, batch: BarBatch, flow_run_id: UUID | None = None) -> LoadResult:
    """Bring a batch into its table, all of it or nothing.

    Args:
        database: The database.
        batch: The bars; of none nothing is noted.
        flow_run_id: The flow run that loads them, for `load_run`.

    Raises:
        DatabaseError: The database did not take them; what was there is unchanged.
    """
    if not len(batch):
        return LoadResult(rows=0)
    run_id = loads.begin(database, batch, flow_run_id)
    try:
        with database.tables() as cursor:
            return _load(database, cursor, batch, run_id)
    except BaseException:
        loads.note_failure(database, run_id)
        raise


def _load(database: Database, cursor: Cursor, batch: BarBatch, run_id: int) -> LoadResult:
    hold_against_retention(cursor, batch.interval)
    hold_symbol(cursor, batch.interval, batch.symbol)
    kept = not_superseded(cursor, batch)
    rows = batch.rows if kept.all() else batch.rows.filter(pa.array(kept))
    inserted, updated = 0, 0
    if len(rows):
        ensure_months(database, batch.interval, months_of(batch.timestamps[kept]))
        if _has_bars_among(cursor, batch, rows):
            inserted, updated = _merge(cursor, batch, rows, run_id)
        else:
            inserted = _append(cursor, batch, rows, run_id)
    loads.complete(cursor, batch, run_id, packed(batch.timestamps), (inserted, updated))
    superseded = len(batch) - int(np.count_nonzero(kept))
    return LoadResult(rows=len(batch), inserted=inserted, updated=updated, superseded=superseded)


def _has_bars_among(cursor: Cursor, batch: BarBatch, rows: pa.Table) -> bool:
    """Whether the symbol has a bar from the first to the last of the rows."""
    ts = rows.column("ts")
    cursor.execute(
        f"SELECT EXISTS (SELECT FROM {BAR_TABLES[batch.interval]} "  # noqa: S608 - our own names
        "WHERE symbol = $1 AND ts BETWEEN $2 AND $3)",
        (batch.symbol, ts[0].as_py(), ts[-1].as_py()),
    )
    row = cursor.fetchone()
    return bool(row and row[0])


def _append(cursor: Cursor, batch: BarBatch, rows: pa.Table, run_id: int) -> int:
    """COPY rows that meet no other; this takes half the time of comparing them."""
    count = len(rows)
    table = pa.table(
        {
            "symbol": pa.repeat(batch.symbol, count),
            **{name: rows.column(name) for name in _NAMES},
            "source": pa.repeat(batch.source, count),
            "known_at": pa.repeat(pa.scalar(batch.known_at, INSTANT), count),
            "run_id": pa.repeat(pa.scalar(run_id, pa.int64()), count),
        }
    )
    cursor.adbc_ingest(BAR_TABLES[batch.interval], table, mode="append")
    return count


def _merge(cursor: Cursor, batch: BarBatch, rows: pa.Table, run_id: int) -> tuple[int, int]:
    """Insert rows that are new, update those that differ, touch no other: how many of each."""
    cursor.execute(_STAGING)
    cursor.adbc_ingest("staging", rows, mode="append", temporary=True)
    cursor.execute(
        _UPSERT.format(table=BAR_TABLES[batch.interval]),
        (batch.symbol, batch.source, batch.known_at, run_id, batch.interval.value),
    )
    row = cursor.fetchone()
    assert row is not None  # noqa: S101 - counts always make a row
    return int(row[0]), int(row[1])
