"""Read bars and their corrections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from psycopg.rows import class_row

from database.bars.columns import BAR_TABLES, INSTANT, ROWS, float_values, instants
from database.connection import Database
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.errors import ParameterError

STORED = pa.schema(
    [
        ("symbol", pa.string()),
        ("timestamp", INSTANT),
        *(field for field in ROWS if field.name != "ts"),
        ("source", pa.string()),
        ("known_at", INSTANT),
        ("run_id", pa.int64()),
    ]
)
"""The columns of stored bars, as they are read."""

_COLUMNS = ", ".join("ts" if name == "timestamp" else name for name in STORED.names)

_CORRECTIONS = """
SELECT symbol, interval, ts, column_name, old_value, new_value, known_at, run_id
FROM correction
WHERE symbol = %s AND interval = %s ORDER BY id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """One value of one bar that a later load changed.

    Attributes:
        symbol: The bar's symbol.
        interval: Its interval.
        ts: Its start.
        column_name: What changed, e.g. `close`, or `source`.
        old_value: What it was, as text that reads back to the same number; None for no value.
        new_value: What it became.
        known_at: When the source said so.
        run_id: The load that changed it.
    """

    symbol: str
    interval: str
    ts: datetime
    column_name: str
    old_value: str | None
    new_value: str | None
    known_at: datetime
    run_id: int


def read_table(
    database: Database, symbol: str, interval: Interval, start: datetime, end: datetime
) -> pa.Table:
    """The bars of a symbol in [start, end) as Arrow, in order of time.

    Args:
        database: The database.
        symbol: The symbol.
        interval: `1m` or `1d`.
        start: First moment at which a bar may start, time-zone aware.
        end: The moment before which bars start.

    Returns:
        A table with the columns of `STORED`.

    Raises:
        ParameterError: There is no table for the interval, or a moment is naive.
        DatabaseError: The database does not answer.
    """
    if interval not in BAR_TABLES:
        allowed = " or ".join(BAR_TABLES)
        raise ParameterError("interval", str(interval), allowed, "read others from the lake")
    for name, moment in (("start", start), ("end", end)):
        if moment.utcoffset() is None:
            raise ParameterError(name, moment, "time-zone aware", "pass a moment in UTC")
    with database.tables() as cursor:
        cursor.execute(
            f"SELECT {_COLUMNS} FROM {BAR_TABLES[interval]} "  # noqa: S608 - our own names
            "WHERE symbol = $1 AND ts >= $2 AND ts < $3 ORDER BY ts",
            (symbol, start, end),
        )
        found = cursor.fetch_arrow_table()
    return pa.table(found.columns, STORED.names).cast(STORED)


def read_bars(
    database: Database, symbol: str, interval: Interval, start: datetime, end: datetime
) -> Bars:
    """The bars of a symbol in [start, end); see `read_table`."""
    table = read_table(database, symbol, interval, start, end)
    return Bars(
        symbol=symbol,
        timestamps=instants(table.column("timestamp")),
        **{name: float_values(table.column(name)) for name in VALUES},
    )


def symbols_between(
    database: Database, interval: Interval, start: datetime, end: datetime
) -> list[str]:
    """The symbols with a bar in [start, end), sorted."""
    with database.transaction() as connection:
        found = connection.execute(
            f"SELECT DISTINCT symbol FROM {BAR_TABLES[interval]} "  # noqa: S608 - our own names
            "WHERE ts >= %s AND ts < %s ORDER BY symbol",
            [start, end],
        ).fetchall()
    return [str(symbol) for (symbol,) in found]


def corrections(database: Database, symbol: str, interval: Interval) -> list[Correction]:
    """What was changed of a symbol's bars, in the order in which it was."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(Correction)) as cursor,
    ):
        return cursor.execute(_CORRECTIONS, [symbol, interval.value]).fetchall()
