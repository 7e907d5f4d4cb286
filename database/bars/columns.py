"""The columns of the bar tables, between Arrow and NumPy."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from trading.arrays import Floats, Timestamps
from trading.bars.intervals import Interval
from trading.bars.model import VALUES

BAR_TABLES = {Interval.MINUTE: "bar_1m", Interval.DAY: "bar_1d"}
"""The intervals that the database keeps, with their tables."""

FLOATS = tuple(name for name in VALUES if name != "trades")
"""The columns of float64."""

INSTANT = pa.timestamp("us", "UTC")
"""The type of moments: microseconds are Postgres' own."""

ROWS = pa.schema(
    [("ts", INSTANT), *((name, pa.float64()) for name in FLOATS), ("trades", pa.int64())]
)
"""What changes from bar to bar; the rest of a row is the same throughout a batch."""


def arrow_rows(timestamps: Timestamps, values: Mapping[str, Floats]) -> pa.Table:
    """Rows as Arrow, NaN as null.

    Args:
        timestamps: Bar starts, UTC, shape (n,).
        values: The columns of `VALUES`, shape (n,) each; `trades` whole numbers.
    """
    arrays = [pa.array(timestamps.astype("datetime64[us]"), pa.timestamp("us")).cast(INSTANT)]
    for name in VALUES:
        missing = np.isnan(values[name])
        column = values[name]
        if name == "trades":
            arrays.append(pa.array(np.where(missing, 0, column).astype(np.int64), mask=missing))
        else:
            arrays.append(pa.array(column, mask=missing))
    return pa.table(arrays, schema=ROWS)


def float_values(column: pa.ChunkedArray) -> Floats:
    """A column of numbers as float64, NaN where null, shape (n,)."""
    values: Floats = column.cast(pa.float64()).fill_null(np.nan).to_numpy()
    return values


def instants(column: pa.ChunkedArray) -> Timestamps:
    """A column of moments as `datetime64[ns]` in UTC, shape (n,)."""
    stamps: Timestamps = column.cast(pa.timestamp("ns")).to_numpy()
    return stamps
