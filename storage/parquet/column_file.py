"""One Parquet file of time series, read by column and by window of rows.

Opening reads the footer only. Where a timestamp lies is found in the row groups' statistics, so
that one window costs its own column chunks however long the history is. Decoded chunks are kept,
a bounded number of them, because the partitions of one process read neighbouring windows.
"""

from __future__ import annotations

import json
import threading
from bisect import bisect_right
from collections import OrderedDict
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from storage.backends import FileIdentity
from storage.directory import Directory
from storage.errors import MAX_SHOWN, ContentError, StorageError, shown
from storage.parquet.arrays import Floats, Instants, floats, integers, is_number
from storage.parquet.limits import INT96, NESTED, column_problem, footer_problem, rows_problem

TIMESTAMP = "timestamp"

CACHED_BYTES = 16 * 2**20
"""Decoded column chunks kept per file: 64 of 32,768 rows."""

_CACHED_ANYWAY = 2
"""Chunks kept however large: a window needs its timestamps and its prices together."""

_NANOSECONDS = {"milliseconds": 1_000_000, "microseconds": 1_000, "nanoseconds": 1}
_SORT = "sort the file by timestamp and keep each one once"
_WRITE_AGAIN = "write the file again, or run the ingestion"


class ColumnFile:
    """A version of a Parquet file with a time-zone aware, sorted column `timestamp`.

    Attributes:
        url: Where the file is, for messages.
        columns: Names of its columns but `timestamp`, in the file's order.
        rows: How many rows it has.
        identity: The version that was opened.
    """

    def __init__(
        self, directory: Directory, name: str, identity: FileIdentity | None = None
    ) -> None:
        """Open the file, reading its footer.

        Args:
            directory: Where it is.
            name: Its name.
            identity: Its version now, when the caller knows it; one request less.

        Raises:
            ContentError: It is missing, empty, not Parquet, lacks aware timestamps, or claims to be
                larger than `storage.parquet.limits` allows.
            StorageError: It cannot be accessed.
        """
        self.url = directory.url_of(name)
        self._directory, self._name = directory, name
        identity = identity or directory.identity(name)
        if identity is None:
            raise self._wrong("the file does not exist", "check input_dir, or run the ingestion")
        if identity.size == 0:
            raise self._wrong("the file is empty", _WRITE_AGAIN)
        self.identity = identity
        self._lock = threading.Lock()
        self._chunks: OrderedDict[tuple[int, str], npt.NDArray[Any]] = OrderedDict()
        self._cached_bytes = 0
        self._parquet = self._open()
        metadata = self._parquet.metadata
        names = self._parquet.schema.names
        self.columns = tuple(name for name in names if name != TIMESTAMP)
        self.rows: int = metadata.num_rows
        if self.rows <= 0:
            raise self._wrong("the file has no rows", _WRITE_AGAIN)
        if problem := rows_problem(metadata):
            raise self._wrong(problem, "write coarser bars, or fewer of them")
        sizes = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
        self._ends = np.cumsum(sizes)
        self._position, self._unit_ns = self._timestamp_column(names)
        self._sorted: set[int] = set()

    def check_order(self) -> None:
        """Make sure that row groups follow each other in time, as reading by position supposes.

        The footer's statistics tell it; of a row group without them its timestamps are read.

        Raises:
            ContentError: Two row groups are out of order or share a timestamp.
            StorageError: The file changed or cannot be read.
        """
        if len(self._ends) == 1:
            return
        bounds = [self._bounds(group) for group in range(len(self._ends))]
        for group, ((_, latest), (earliest, _)) in enumerate(pairwise(bounds), start=1):
            if not latest < earliest:
                raise self._wrong(
                    f"its row groups are out of order: row {self._start(group)} and the following "
                    f"begin at {earliest.astype('datetime64[s]')}Z, and rows before them reach to "
                    f"{latest.astype('datetime64[s]')}Z",
                    _SORT,
                )

    def timestamps(self, first: int, last: int) -> Instants:
        """The timestamps of the rows first <= row < last, in UTC.

        Raises:
            ContentError: They are missing, or not strictly increasing.
            StorageError: The file changed or cannot be read.
        """
        return self._checked(self._window(TIMESTAMP, first, last), first)

    def _checked(self, stamps: Instants, first: int) -> Instants:
        """The timestamps of the rows from `first` on, when they are in order."""
        if np.isnat(stamps).any():
            raise self._wrong("a timestamp is missing", "remove the rows without one")
        if len(stamps) > 1 and not (stamps[1:] > stamps[:-1]).all():
            at = int(np.argmin(stamps[1:] > stamps[:-1])) + 1
            kind = "is repeated" if stamps[at] == stamps[at - 1] else "is out of order"
            raise self._wrong(
                f"timestamp {stamps[at].astype('datetime64[s]')}Z in row {first + at} {kind}",
                _SORT,
            )
        return stamps

    def first_timestamp(self) -> np.datetime64:
        """The earliest timestamp of the first row group, of its statistics where they tell it.

        Raises:
            ContentError: There are no statistics, and the timestamps are missing or out of order.
            StorageError: The file changed or cannot be read.
        """
        return self._group_start(0)

    def value_schema(self) -> pa.Schema:
        """Names and types of the columns but `timestamp`, as Arrow has them."""
        every: pa.Schema = self._parquet.schema_arrow.remove_metadata()
        return pa.schema([field for field in every if field.name != TIMESTAMP])

    def unchecked_timestamps(self) -> Instants:
        """All timestamps as the file has them, in any order, `NaT` where missing."""
        return self._window(TIMESTAMP, 0, self.rows)

    def values(self, column: str, first: int, last: int) -> Floats:
        """One column's values in the rows first <= row < last, NaN where missing.

        Raises:
            ContentError: There is no such column, or it does not hold numbers.
            StorageError: The file changed or cannot be read.
        """
        if column not in self.columns:
            raise self._wrong(f"there is no column {shown(column)}", _WRITE_AGAIN)
        return self._window(column, first, last)

    def lower_bound(self, stamp: np.datetime64) -> int:
        """The first row whose timestamp is not before `stamp`; `rows` when there is none.

        Reads the column chunk of one row group, found by the statistics.

        Raises:
            ContentError: The timestamps of that row group are missing or out of order.
            StorageError: The file changed or cannot be read.
        """
        groups = range(len(self._ends))
        group = bisect_right(groups, stamp, key=self._group_start) - 1
        if group < 0:
            return 0
        start = self._start(group)
        return start + int(np.searchsorted(self._sorted_chunk(group), stamp, side="left"))

    def check_unchanged(self) -> None:
        """Make sure that the file is still the version that was opened.

        Raises:
            StorageError: It was replaced or removed.
        """
        if self._directory.store.knows_versions:
            return  # every read made sure of it
        if self._directory.identity(self._name) != self.identity:
            raise StorageError(self.url, "it changed while it was being read", "run again")

    def _open(self) -> pq.ParquetFile:
        reader = self._directory.open(self._name, self.identity)
        try:
            reader.seek(max(0, self.identity.size - 8))
            if problem := footer_problem(reader.read(8)):
                raise self._wrong(problem, "write fewer columns, or longer row groups")
            if self._directory.is_local:
                reader.close()
                return pq.ParquetFile(self.url, coerce_int96_timestamp_unit="us")
            return pq.ParquetFile(reader, coerce_int96_timestamp_unit="us")
        except (pa.ArrowException, OSError, ValueError) as error:
            if isinstance(error, OSError) and error.errno is not None:
                self._directory.open(self._name).close()  # raises what is wrong, in our words
            raise self._wrong("the file is damaged or not Parquet", _WRITE_AGAIN) from error

    def _timestamp_column(self, names: list[str]) -> tuple[int, int]:
        """Position of the timestamp column, and nanoseconds per unit of its raw values."""
        if TIMESTAMP not in names:
            raise self._wrong(
                "there is no column 'timestamp'",
                "write the times as a column or named index 'timestamp'",
            )
        position = names.index(TIMESTAMP)
        column = self._parquet.schema.column(position)
        if column_problem(column) == NESTED:
            raise self._wrong("column 'timestamp' is nested", _WRITE_AGAIN)
        self._is_int96 = column.physical_type == INT96
        if self._is_int96:  # no logical type; instants in UTC, as Spark writes them
            return position, 1
        kind = json.loads(column.logical_type.to_json())
        if kind.get("Type") != "Timestamp":
            found = f"column 'timestamp' holds {column.physical_type.lower()} values, not times"
            raise self._wrong(found, "write it as time-zone aware timestamps")
        if not kind["isAdjustedToUTC"]:
            raise self._wrong(
                "column 'timestamp' has no time zone",
                "write aware timestamps, e.g. index.tz_localize('America/New_York')",
            )
        return position, _NANOSECONDS[kind["timeUnit"]]

    def _start(self, group: int) -> int:
        return int(self._ends[group - 1]) if group else 0

    def _group_start(self, group: int) -> np.datetime64:
        """The earliest timestamp of a row group."""
        return self._bounds(group)[0]

    def _stated(self, group: int) -> tuple[np.datetime64, np.datetime64] | None:
        """The earliest and latest timestamp of a row group as its statistics say."""
        statistics = self._parquet.metadata.row_group(group).column(self._position).statistics
        # Writers compared the bytes of INT96, so what they state of it is no order of time.
        if self._is_int96 or statistics is None or not statistics.has_min_max:
            return None
        bounds = [int(raw) * self._unit_ns for raw in (statistics.min_raw, statistics.max_raw)]
        if max(map(abs, bounds)) > np.iinfo(np.int64).max:
            return None
        return np.datetime64(bounds[0], "ns"), np.datetime64(bounds[1], "ns")

    def _bounds(self, group: int) -> tuple[np.datetime64, np.datetime64]:
        """The earliest and latest timestamp of a row group, read where nothing states them.

        Of the only group statistics spare nothing, and pyarrow ends the process over damaged ones.
        """
        stated = self._stated(group) if len(self._ends) > 1 else None
        if stated is None:
            stamps = self._sorted_chunk(group)
            return stamps[0], stamps[-1]
        return stated

    def _sorted_chunk(self, group: int) -> Instants:
        """All timestamps of a row group, when they are in order."""
        stamps: Instants = self._chunk(group, TIMESTAMP)
        if group not in self._sorted:
            self._checked(stamps, self._start(group))
            self._sorted.add(group)
        return stamps

    def _window(self, column: str, first: int, last: int) -> npt.NDArray[Any]:
        if not 0 <= first <= last <= self.rows:
            raise IndexError(f"rows {first} to {last} are not within 0 to {self.rows}")
        if first == last:
            return np.empty(0, "datetime64[ns]" if column == TIMESTAMP else np.float64)
        low = int(np.searchsorted(self._ends, first, side="right"))
        groups = range(low, int(np.searchsorted(self._ends, last, side="left")) + 1)
        if len(groups) == 1:  # the usual case: a view of the chunk, without copying
            chunk = self._chunk(low, column)
            return chunk[first - self._start(low) : last - self._start(low)]
        joined = np.concatenate([self._chunk(group, column) for group in groups])
        start = self._start(groups[0])
        return joined[first - start : last - start]

    def _chunk(self, group: int, column: str) -> npt.NDArray[Any]:
        """One column of one row group, decoded; read-only, from the cache when it is there."""
        with self._lock:
            chunk = self._chunks.get((group, column))
            if chunk is None:
                chunk = self._decoded(group, column)
                chunk.flags.writeable = False  # callers get views of it
                self._chunks[group, column] = chunk
                self._cached_bytes += chunk.nbytes
                while self._cached_bytes > CACHED_BYTES and len(self._chunks) > _CACHED_ANYWAY:
                    self._cached_bytes -= self._chunks.popitem(last=False)[1].nbytes
            else:
                self._chunks.move_to_end((group, column))
            return chunk

    def _decoded(self, group: int, column: str) -> npt.NDArray[Any]:
        rows = self._check_believable(group, column)
        try:
            table = self._parquet.read_row_group(group, columns=[column], use_threads=False)
        except (pa.ArrowException, OSError, ValueError) as error:
            self.check_unchanged()
            if isinstance(error, OSError) and error.errno is not None:
                raise StorageError(self.url, f"it cannot be read: {error}", "run again") from error
            raise self._wrong(f"column {shown(column)} is damaged", _WRITE_AGAIN) from error
        self.check_unchanged()
        values = table.column(0)
        if len(values) != rows:
            raise self._wrong(f"column {shown(column)} is damaged", _WRITE_AGAIN)
        if column == TIMESTAMP:
            unit = np.dtype(f"datetime64[{values.type.unit}]")
            stamps = self._nanoseconds(integers(values).view(unit))
            if len(self._ends) > 1:
                self._check_statistics(group, stamps)
            return stamps
        if not is_number(values.type):
            raise self._no_numbers(column, values.type)
        return floats(values)

    def _check_believable(self, group: int, column: str) -> int:
        """How many values the chunk has to have; nothing is decoded that could take any size."""
        position = self._parquet.schema.names.index(column)
        problem = column_problem(self._parquet.schema.column(position))
        if problem and problem != NESTED and not (column == TIMESTAMP and self._is_int96):
            raise self._no_numbers(column, self._parquet.schema_arrow.field(position).type)
        if problem == NESTED:
            raise self._wrong(f"column {shown(column)} {problem}", _WRITE_AGAIN)
        return int(self._parquet.metadata.row_group(group).num_rows)

    def _check_statistics(self, group: int, stamps: Instants) -> None:
        """Make sure that windows were looked for where the timestamps are."""
        known, stated = stamps[~np.isnat(stamps)], self._stated(group)
        if len(known) and stated is not None and stated != (known.min(), known.max()):
            raise self._wrong("the statistics of column 'timestamp' are wrong", _WRITE_AGAIN)

    def _no_numbers(self, column: str, found: pa.DataType) -> ContentError:
        problem = f"column {shown(column)} holds {str(found)[:MAX_SHOWN]} values, not numbers"
        return self._wrong(problem, "write it as float64")

    def _nanoseconds(self, stamps: Instants) -> Instants:
        exact = stamps.astype("datetime64[ns]")
        if (exact.astype(stamps.dtype) != stamps)[~np.isnat(stamps)].any():
            raise self._wrong("a timestamp lies outside the years 1678 to 2261", _WRITE_AGAIN)
        return exact

    def _wrong(self, problem: str, next_step: str) -> ContentError:
        return ContentError(self.url, problem, next_step)
