"""Signals that strategies made on live bars: that of the latest revision of each bar."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import sql
from psycopg.types.json import Jsonb

from database.connection import Database
from trading.events import SignalMade
from trading.instruments.clock import nanoseconds_of

_SAVE = """
INSERT INTO signal AS stored (strategy, fingerprint, symbol, interval, ts, signal, target, close,
    values, revision, available_at)
SELECT DISTINCT ON (strategy, fingerprint, symbol, interval, ts) strategy, fingerprint, symbol,
    interval, 'epoch'::timestamptz + ts / 1000 * interval '1 microsecond', signal, target, close,
    told.values, revision, 'epoch'::timestamptz + available_at / 1000 * interval '1 microsecond'
FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::text[], %s::float8[],
    %s::float8[], %s::jsonb[], %s::integer[], %s::bigint[])
    AS told (strategy, fingerprint, symbol, interval, ts, signal, target, close, values, revision,
        available_at)
ORDER BY strategy, fingerprint, symbol, interval, ts, revision DESC
ON CONFLICT (strategy, fingerprint, symbol, interval, ts) DO UPDATE
SET (signal, target, close, values, revision, available_at)
    = ROW (excluded.signal, excluded.target, excluded.close, excluded.values, excluded.revision,
        excluded.available_at)
WHERE excluded.revision > stored.revision
"""

_COLUMNS = (
    "strategy", "fingerprint", "symbol", "interval", "ts", "signal", "target", "close", "values",
    "revision", "available_at",
)  # fmt: skip

_READ = sql.SQL("""
SELECT {} FROM signal
WHERE ts >= %(start)s AND ts < %(end)s
    AND (%(symbol)s::text IS NULL OR symbol = %(symbol)s)
    AND (%(strategy)s::text IS NULL OR strategy = %(strategy)s)
    AND (%(interval)s::text IS NULL OR interval = %(interval)s)
ORDER BY ts, symbol, strategy, interval
""").format(sql.SQL(", ").join(map(sql.Identifier, _COLUMNS)))


def save_signals(database: Database, signals: Sequence[SignalMade]) -> int:
    """Keep the signal of the latest revision of each bar; how many rows that changes.

    Raises:
        DatabaseError: The database did not take them; none was kept.
    """
    if not signals:
        return 0
    columns: list[list[Any]] = [[getattr(signal, name) for signal in signals] for name in _COLUMNS]
    at = _COLUMNS.index("values")
    columns[at] = [Jsonb(values) for values in columns[at]]
    with database.transaction() as connection:
        return max(connection.execute(_SAVE, columns).rowcount, 0)


def stored_signals(
    database: Database,
    start: datetime,
    end: datetime,
    *,
    symbol: str | None = None,
    strategy: str | None = None,
    interval: str | None = None,
) -> list[SignalMade]:
    """The signals of bars that start in [start, end), in order of time.

    Args:
        database: The database.
        start: First possible start, aware.
        end: First start no longer wanted, aware.
        symbol: Of this symbol alone; of all by default.
        strategy: Of this strategy alone; of all by default.
        interval: Of bars of this length alone; of all by default.
    """
    wanted = {
        "start": start, "end": end, "symbol": symbol, "strategy": strategy, "interval": interval,
    }  # fmt: skip
    with database.transaction() as connection:
        return [_signal(row) for row in connection.execute(_READ, wanted).fetchall()]


def _signal(row: tuple[Any, ...]) -> SignalMade:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in ("ts", "available_at"):
        values[name] = nanoseconds_of(values[name])
    return SignalMade(**values)
