"""Bars for answers: a limited number from a moment on, and a version that changes with them."""

from __future__ import annotations

from datetime import datetime

# Takes a second to load: when the API starts, and not with its first request.
import adbc_driver_postgresql.dbapi  # noqa: F401
import pyarrow as pa

from database.bars.columns import BAR_TABLES, INSTANT
from database.connection import Database
from trading.bars.intervals import Interval
from trading.bars.model import VALUES

SERVED = pa.schema(
    [
        ("timestamp", INSTANT),
        *((name, pa.float64()) for name in VALUES),
        ("source", pa.string()),
    ]
)
"""The columns of bars for answers."""

_VALUES = ", ".join(VALUES)

_STORED = f"""
SELECT ts, {_VALUES}, source FROM {{table}}
WHERE symbol = $1 AND ts >= $2 AND ts < $3 AND ($4::text IS NULL OR source = $4)
ORDER BY ts LIMIT $5
"""  # noqa: S608 - our own names

_LIVE = f"""
SELECT ts, {_VALUES}, 'live' AS source FROM live_bar
WHERE symbol = $1 AND interval = $2 AND ts >= $3 AND ts < $4 ORDER BY ts LIMIT $5
"""  # noqa: S608 - our own names

# A load that began before a month of its bars was dropped has lost them.
_LOADED = """
SELECT source, known_at, id FROM load_run AS load
WHERE symbol = %(symbol)s AND interval = %(interval)s AND status = 'loaded'
    AND last_ts >= %(start)s AND first_ts < %(end)s
    AND NOT EXISTS (
        SELECT FROM retention_log AS log
        WHERE log.interval = load.interval AND log.state = 'dropped'
            AND log.ended_at >= load.started_at
            AND log.month BETWEEN date_trunc('month', load.first_ts AT TIME ZONE 'UTC')
                AND load.last_ts AT TIME ZONE 'UTC'
    )
"""

_VERSION = """
SELECT live.*, loads.* FROM (
    SELECT count(*), coalesce(sum(revision), 0), max(available_at) FROM live_bar
    WHERE symbol = %(symbol)s AND interval = %(interval)s AND ts >= %(start)s AND ts < %(end)s
) AS live, (
    SELECT coalesce(max(id), 0), count(*) FROM load_run
    WHERE symbol = %(symbol)s AND interval = %(interval)s AND status <> 'running'
) AS loads
"""


def stored_bars(
    database: Database,
    symbol: str,
    interval: Interval,
    start: datetime,
    end: datetime,
    *,
    source: str | None,
    limit: int,
) -> pa.Table:
    """The first bars in [start, end) that were loaded, of one source or of all.

    Args:
        database: The database.
        symbol: The symbol.
        interval: `1m` or `1d`.
        start: The first moment.
        end: The moment before which bars start.
        source: Of this source alone; None for all.
        limit: At most so many.

    Returns:
        A table with the columns of `SERVED`.
    """
    statement = _STORED.format(table=BAR_TABLES[interval])
    return _table(database, statement, (symbol, start, end, source, limit))


def live_bars(
    database: Database,
    symbol: str,
    interval: Interval,
    start: datetime,
    end: datetime,
    *,
    limit: int,
) -> pa.Table:
    """The first bars in [start, end) that live windows closed; columns of `SERVED`."""
    return _table(database, _LIVE, (symbol, interval.value, start, end, limit))


def loaded_files(
    database: Database, symbol: str, interval: Interval, start: datetime, end: datetime
) -> set[tuple[str, datetime]]:
    """Source and moment of writing of each file whose bars are in the database, all of them."""
    if interval not in BAR_TABLES:
        return set()
    with database.single_statements() as connection:
        found = connection.execute(_LOADED, _asked(symbol, interval, start, end)).fetchall()
    return {(str(source), known_at) for source, known_at, _ in found}


def bars_version(
    database: Database, symbol: str, interval: Interval, start: datetime, end: datetime
) -> str:
    """Changes whenever a load or a live window has changed a bar of the series."""
    with database.single_statements() as connection:
        return str(connection.execute(_VERSION, _asked(symbol, interval, start, end)).fetchone())


def last_loaded(
    database: Database, symbol: str, interval: Interval, source: str | None
) -> datetime | None:
    """The start of the last bar that was loaded, of one source or of all; None without one."""
    statement = (
        f"SELECT max(ts) FROM {BAR_TABLES[interval]} "  # noqa: S608 - our own names
        "WHERE symbol = %(symbol)s AND (%(source)s::text IS NULL OR source = %(source)s)"
    )
    with database.single_statements() as connection:
        row = connection.execute(
            statement.encode(), {"symbol": symbol, "source": source}
        ).fetchone()
    return row[0] if row else None


def _asked(
    symbol: str, interval: Interval, start: datetime, end: datetime
) -> dict[str, str | datetime]:
    return {"symbol": symbol, "interval": interval.value, "start": start, "end": end}


def _table(database: Database, statement: str, values: tuple[object, ...]) -> pa.Table:
    with database.tables() as cursor:
        cursor.execute(statement, values)
        found = cursor.fetch_arrow_table()
    return pa.table(found.columns, SERVED.names).cast(SERVED)
