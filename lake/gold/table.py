"""Gold's files: bars, indicators, what the strategy says, and its signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lake.gold.signal_pass import SignalPass
from storage.parquet.arrays import float_column, timestamp_column
from trading.indicators.columns import COMMON_COLUMNS
from trading.strategies.protocol import SIGNAL_NAMES

BARS = ("open", "high", "low", "close", "volume")

COMMON_SCHEMA = pa.schema(
    [
        pa.field("timestamp", pa.timestamp("us", "UTC")),
        pa.field("available_at", pa.timestamp("us", "UTC")),
        *(pa.field(name, pa.float64()) for name in (*BARS, *COMMON_COLUMNS)),
        pa.field("signal", pa.string()),
    ]
)
"""The columns of every gold file; those of its strategy stand before `signal`.

`timestamp` is the bar's start and `available_at` its end, both UTC: nothing of a row may be used
before. Prices and volumes are adjusted for the actions in force at the partition's end.
"""


def gold_table(made: SignalPass, rows: npt.NDArray[np.bool_]) -> pa.Table:
    """The rows of a pass where a mask holds, as a file has them."""
    bars = made.bars[rows]
    columns: dict[str, pa.Array] = {
        "timestamp": timestamp_column(bars.timestamps, "UTC"),
        "available_at": timestamp_column(made.available_at[rows], "UTC"),
    }
    columns |= {name: float_column(getattr(bars, name)) for name in BARS}
    columns |= {name: _column(values[rows]) for name, values in made.columns.items()}
    columns["signal"] = pa.array(
        [SIGNAL_NAMES[code] for code in made.signal[rows].tolist()], pa.string()
    )
    return pa.table(columns)


def _column(values: npt.NDArray[Any]) -> pa.Array:
    """A strategy's column by its kind: numbers, truth values or texts."""
    if values.dtype.kind == "f":
        return float_column(values.astype(np.float64))
    if values.dtype.kind == "b":
        return pa.array(values.tolist(), pa.bool_())
    if values.dtype.kind in "iu":
        return pa.array(values.tolist(), pa.int64())
    return pa.array(values.tolist(), pa.string())
