"""Arrow columns to and from NumPy arrays, buffer by buffer.

`pyarrow.array` and `to_numpy` import pandas wherever it is installed, half a second that every
partition's process would pay; wrapping the buffers does the same without it. And a cast imports
`pyarrow.compute`, so columns that are what they should be are not cast.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Number = TypeVar("Number", np.float64, np.int64)

Instants = npt.NDArray[np.datetime64]
"""Moments as `datetime64[ns]` in UTC, shape (n,)."""

Floats = npt.NDArray[np.float64]
"""Float64 of shape (n,), NaN where null."""


def float_column(values: Floats) -> pa.Array:
    """Float64 values as an Arrow array, NaN as null."""
    missing = np.isnan(values)
    validity = pa.py_buffer(np.packbits(~missing, bitorder="little")) if missing.any() else None
    return pa.Array.from_buffers(
        pa.float64(), len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))]
    )


def timestamp_column(stamps: Instants, zone: str) -> pa.Array:
    """UTC timestamps as an Arrow array of microseconds, shown in the time zone `zone`."""
    microseconds = stamps.astype("datetime64[us]").view(np.int64)
    return pa.Array.from_buffers(
        pa.timestamp("us", zone), len(stamps), [None, pa.py_buffer(microseconds)]
    )


def category_column(codes: npt.NDArray[np.integer], names: Sequence[str]) -> pa.Array:
    """Strings `names[code]` as a dictionary-encoded Arrow array."""
    encoded = [name.encode() for name in names]
    offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    dictionary = pa.Array.from_buffers(
        pa.string(), len(names), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    )
    indices = pa.Array.from_buffers(
        pa.int32(), len(codes), [None, pa.py_buffer(np.ascontiguousarray(codes, np.int32))]
    )
    return pa.DictionaryArray.from_arrays(indices, dictionary)


def is_number(kind: pa.DataType) -> bool:
    """Whether values of this type are numbers: floats, integers or decimals, as databases write."""
    types = pa.types
    return bool(types.is_floating(kind) or types.is_integer(kind) or types.is_decimal(kind))


def floats(column: pa.ChunkedArray) -> Floats:
    """A column of numbers as float64, NaN where null, shape (n,)."""
    if column.type != pa.float64():
        column = column.cast(pa.float64(), safe=False)
    return _joined(column, np.float64, np.nan)


def integers(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """A column of integers or timestamps as int64, shape (n,); null is the least int64."""
    if not (pa.types.is_timestamp(column.type) or pa.types.is_int64(column.type)):
        column = column.cast(pa.int64())
    return _joined(column, np.int64, np.iinfo(np.int64).min)


def _joined(column: pa.ChunkedArray, dtype: type[Number], null: float) -> npt.NDArray[Number]:
    parts = [_chunk(chunk, dtype, null) for chunk in column.chunks if len(chunk)]
    if len(parts) == 1:
        return parts[0]
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _chunk(chunk: pa.Array, dtype: type[Number], null: float) -> npt.NDArray[Number]:
    validity, data = chunk.buffers()
    values = np.frombuffer(data, dtype)[chunk.offset : chunk.offset + len(chunk)]
    if not chunk.null_count:
        return values
    bits = np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")
    present = bits[chunk.offset : chunk.offset + len(chunk)].astype(np.bool_)
    return np.where(present, values, dtype(null))
