"""Silver's files: bars of all intervals, a row group each, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from lake.files import FileLineage, read_file, write_file
from lake.silver.bronze_rows import bars_of, instants
from storage.directory import Directory
from storage.errors import ContentError
from storage.parquet.arrays import category_column, float_column, integers, timestamp_column
from trading.bars.intervals import MINUTE_INTERVALS, SESSION_INTERVALS, Interval
from trading.bars.model import VALUES, joined
from trading.bars.resampling.model import ResampledBars

SILVER, SILVER_DAYS = "silver", "silver_days"

INTERVALS = {SILVER: MINUTE_INTERVALS, SILVER_DAYS: SESSION_INTERVALS}
"""The intervals of each dataset, in the order of the row groups of its files."""

_COUNTED = {SILVER: "minutes", SILVER_DAYS: "sessions"}


def schema_of(dataset: str) -> pa.Schema:
    """The columns of a file of `silver` or `silver_days`, in order.

    `timestamp` is the bar's start and `available_at` its end, both UTC; prices are in dollars and
    not adjusted; `vwap` and `trades` are null where the source has none.
    """
    counted = _COUNTED[dataset]
    return pa.schema(
        [
            pa.field("interval", pa.dictionary(pa.int32(), pa.string())),
            pa.field("timestamp", pa.timestamp("us", "UTC")),
            pa.field("available_at", pa.timestamp("us", "UTC")),
            *(pa.field(name, pa.float64()) for name in VALUES),
            pa.field(f"{counted}_expected", pa.int64()),
            pa.field(f"{counted}_present", pa.int64()),
            pa.field("complete", pa.bool_()),
        ]
    )


def write_bars(
    directory: Directory,
    name: str,
    bars: Mapping[Interval, ResampledBars],
    lineage: FileLineage,
) -> str:
    """Write the bars of all intervals of a dataset, and return the file's URL.

    Args:
        directory: The lake.
        name: The file, relative to the lake.
        bars: By interval, all of the lineage's dataset.
        lineage: What the footer says.

    Raises:
        StorageError: It cannot be written; an earlier one is still there.
    """
    intervals = INTERVALS[lineage.dataset]
    tables = [table_of(bars[interval], interval, lineage.dataset) for interval in intervals]
    rows = [table.num_rows for table in tables]
    return write_file(directory, name, pa.concat_tables(tables), lineage, row_groups=rows)


def read_bars(
    directory: Directory, name: str, dataset: str, symbol: str, interval: Interval
) -> tuple[ResampledBars, str]:
    """The bars of one interval of a file, and the file's fingerprint.

    Raises:
        ContentError: It is damaged, or no file of the dataset and symbol.
        StorageError: It cannot be read.
    """
    group = INTERVALS[dataset].index(interval)
    stored = read_file(directory, name, dataset, symbol, row_group=group)
    bars = bars_in(directory.url_of(name), stored.table, dataset, symbol, interval)
    return bars, stored.metadata["fingerprint"]


def bars_in(
    url: str, table: pa.Table, dataset: str, symbol: str, interval: Interval
) -> ResampledBars:
    """The bars of one interval that a table of a dataset's columns has.

    Raises:
        ContentError: It has bars of another interval; the message names `url`.
    """
    if set(table["interval"].unique().to_pylist()) - {interval.value}:
        raise ContentError(
            url,
            f"its bars of {interval} are not where they should be",
            "remove it and build the dataset again, which makes what is missing",
        )
    counted = _COUNTED[dataset]
    return ResampledBars(
        bars=bars_of(table, symbol),
        available_at=instants(table["available_at"]),
        expected=integers(table[f"{counted}_expected"]),
        present=integers(table[f"{counted}_present"]),
    )


def joined_bars(parts: Sequence[ResampledBars], nothing: ResampledBars) -> ResampledBars:
    """The bars of all parts, in the order given; `nothing` when there are none."""
    if not parts:
        return nothing
    return ResampledBars(
        bars=joined([part.bars for part in parts], parts[0].bars.symbol),
        available_at=np.concatenate([part.available_at for part in parts]),
        expected=np.concatenate([part.expected for part in parts]),
        present=np.concatenate([part.present for part in parts]),
    )


def table_of(found: ResampledBars, interval: Interval, dataset: str) -> pa.Table:
    """Bars of one interval with the columns of a dataset."""
    return pa.Table.from_arrays(
        [
            category_column(np.zeros(len(found), np.int32), [interval.value]),
            timestamp_column(found.bars.timestamps, "UTC"),
            timestamp_column(found.available_at, "UTC"),
            *(float_column(getattr(found.bars, name)) for name in VALUES),
            pa.array(found.expected, pa.int64()),
            pa.array(found.present, pa.int64()),
            pa.array(found.complete, pa.bool_()),
        ],
        schema=schema_of(dataset),
    )
