"""Bars to load, and what the tables hold of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from psycopg.rows import TupleRow

from database.bars.batch import BarBatch, batch_of_bars
from database.connection import Database
from trading.arrays import Floats, Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars

KNOWN = datetime(2024, 3, 1, 22, tzinfo=UTC)
OPEN = np.datetime64("2024-01-31T14:30", "ns")
START, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def minutes(count: int, first: np.datetime64 = OPEN) -> Timestamps:
    stamps: Timestamps = first + np.arange(count) * np.timedelta64(60, "s")
    return stamps


def bars(timestamps: Timestamps, seed: int = 0, symbol: str = "AAPL") -> Bars:
    """Bars as a source might have them, some without vwap and trades."""
    generator = np.random.default_rng(seed)
    count = len(timestamps)
    opens, closes = generator.uniform(90, 110, (2, count))
    values: dict[str, Floats] = {
        "open": opens,
        "high": np.maximum(opens, closes) + 1,
        "low": np.minimum(opens, closes) - 1,
        "close": closes,
        "volume": generator.uniform(0, 1e6, count),
        "vwap": np.where(generator.random(count) < 0.5, np.nan, opens),
        "trades": np.where(generator.random(count) < 0.5, np.nan, np.arange(count)),
    }
    return Bars(symbol=symbol, timestamps=timestamps, **values)


def batch(
    content: Bars, hours: int = 0, source: str = "polygon", interval: Interval = Interval.MINUTE
) -> BarBatch:
    """A batch that became known so many hours after the first."""
    return batch_of_bars(content, interval, source, KNOWN + timedelta(hours=hours))


def changed(content: Bars, position: int, **values: float) -> Bars:
    """The bars with some values of one of them replaced."""
    columns = {name: getattr(content, name).copy() for name in VALUES}
    for name, value in values.items():
        columns[name][position] = value
    return Bars(symbol=content.symbol, timestamps=content.timestamps, **columns)


def assert_same(found: Bars, expected: Bars) -> None:
    """To the bit, NaN for NaN."""
    assert found.symbol == expected.symbol
    np.testing.assert_array_equal(found.timestamps, expected.timestamps)
    for name in VALUES:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), name)


def rows(database: Database, statement: str) -> list[TupleRow]:
    with database.transaction() as connection:
        return connection.execute(statement.encode()).fetchall()


def versions(database: Database, table: str = "bar_1m") -> set[TupleRow]:
    """Which transaction wrote each row, and where it lies: a row that was touched has others."""
    return set(rows(database, f"SELECT tableoid, ctid::text, xmin::text FROM {table}"))  # noqa: S608
