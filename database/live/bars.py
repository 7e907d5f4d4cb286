"""Live bars: the latest revision of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import sql

from database.connection import Database
from trading.bars.intervals import Interval
from trading.events import BarClosed
from trading.instruments.clock import nanoseconds_of

_SAVE = """
INSERT INTO live_bar AS stored (symbol, interval, ts, open, high, low, close, volume, vwap, trades,
    revision, available_at)
SELECT DISTINCT ON (symbol, interval, ts) symbol, interval,
    'epoch'::timestamptz + ts / 1000 * interval '1 microsecond',
    open, high, low, close, volume, vwap, trades, revision,
    'epoch'::timestamptz + available_at / 1000 * interval '1 microsecond'
FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::float8[], %s::float8[], %s::float8[],
    %s::float8[], %s::float8[], %s::float8[], %s::bigint[], %s::integer[], %s::bigint[])
    AS told (symbol, interval, ts, open, high, low, close, volume, vwap, trades, revision,
        available_at)
ORDER BY symbol, interval, ts, revision DESC
ON CONFLICT (symbol, interval, ts) DO UPDATE
SET (open, high, low, close, volume, vwap, trades, revision, available_at)
    = ROW (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume,
        excluded.vwap, excluded.trades, excluded.revision, excluded.available_at)
WHERE excluded.revision > stored.revision
"""

_COLUMNS = (
    "symbol", "interval", "ts", "open", "high", "low", "close", "volume", "vwap", "trades",
    "revision", "available_at",
)  # fmt: skip

_READ = sql.SQL("""
SELECT {} FROM live_bar
WHERE interval = %(interval)s AND ts >= %(start)s AND ts < %(end)s
    AND (%(symbols)s::text[] IS NULL OR symbol = ANY(%(symbols)s))
ORDER BY symbol, ts
""").format(sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)))

_READ_SINCE = sql.SQL("""
SELECT {} FROM live_bar
WHERE available_at >= %(moment)s AND ts >= %(moment)s - interval '1 day'
ORDER BY available_at, ts DESC, symbol
""").format(sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)))

_INTERVALS = """
SELECT DISTINCT interval FROM live_bar
WHERE symbol = %s AND (%s::timestamptz IS NULL OR ts >= %s)
"""


def save_live_bars(database: Database, bars: Sequence[BarClosed]) -> int:
    """Keep the latest revision of each bar; how many rows that changes.

    Raises:
        DatabaseError: The database did not take them; none was kept.
    """
    if not bars:
        return 0
    columns = [[getattr(bar, name) for bar in bars] for name in _COLUMNS]
    with database.transaction() as connection:
        return max(connection.execute(_SAVE, columns).rowcount, 0)


def live_bars(
    database: Database,
    interval: str,
    start: datetime,
    end: datetime,
    symbols: Sequence[str] | None = None,
) -> list[BarClosed]:
    """The bars that start in [start, end), by symbol and in order of time.

    Args:
        database: The database.
        interval: Their length, e.g. `1m`.
        start: First possible start, aware.
        end: First start no longer wanted, aware.
        symbols: Of these alone; of all by default.
    """
    wanted = {
        "interval": interval,
        "start": start,
        "end": end,
        "symbols": None if symbols is None else list(symbols),
    }
    with database.transaction() as connection:
        return [_bar(row) for row in connection.execute(_READ, wanted).fetchall()]


def live_bars_since(database: Database, moment: datetime) -> list[BarClosed]:
    """The bars, of all lengths within a day, that could be acted on from a moment on.

    Args:
        database: The database.
        moment: That moment, aware.

    Returns:
        In the order in which they could be acted on.
    """
    with database.transaction() as connection:
        found = connection.execute(_READ_SINCE, {"moment": moment}).fetchall()
    return [_bar(row) for row in found]


def last_live_minute(database: Database) -> datetime | None:
    """The start of the last minute that any symbol has a live bar of; None without live bars."""
    with database.transaction() as connection:
        row = connection.execute(
            "SELECT ts FROM live_bar WHERE interval = '1m' ORDER BY ts DESC LIMIT 1"
        ).fetchone()
    return None if row is None else row[0]


def live_symbols(database: Database, interval: str, start: datetime, end: datetime) -> list[str]:
    """The symbols with a bar of some length that starts in [start, end), sorted."""
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT DISTINCT symbol FROM live_bar "
            "WHERE interval = %s AND ts >= %s AND ts < %s ORDER BY symbol",
            [interval, start, end],
        ).fetchall()
    return [str(row[0]) for row in rows]


def live_intervals(
    database: Database, symbol: str, since: datetime | None = None
) -> list[Interval]:
    """The intervals that a symbol has live bars of, the shortest first.

    Args:
        database: The database.
        symbol: The symbol.
        since: Leave out bars that start before it.
    """
    with database.single_statements() as connection:
        rows = connection.execute(_INTERVALS, [symbol, since, since])
        found = {interval for (interval,) in rows}
    return [interval for interval in Interval if interval.value in found]


def _bar(row: tuple[Any, ...]) -> BarClosed:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in ("ts", "available_at"):
        values[name] = nanoseconds_of(values[name])
    return BarClosed(**values)
