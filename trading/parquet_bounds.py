"""What a Parquet file may claim of itself, checked before it is believed and decoded.

A few kilobytes can claim a billion rows, a thousand values per row, or pages that unpack to
gigabytes. So nothing is decoded whose footer claims more than these bounds: with them one column
of one file takes at most `MAX_ROWS` * 16 bytes plus a mebibyte, 65 MiB, and an opened footer some
300 MB. One lie remains: the size of a page stands before the page itself, and the format's limit
for it is 2 GiB, which is unpacked, and freed, before the page is found not to fit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

MAX_FOOTER_BYTES = 8 * 2**20
"""Longest footer: 100,000 columns as we write them. Decoded it takes thirty times its size."""

MAX_ROWS = 2**22
"""Most rows of a file: minute bars of 40 years. Thirteen times the hourly bars since 1792."""

_BYTES_PER_VALUE = 16
"""Most that encoding takes for a number: the number itself, its place in a dictionary, levels."""

_BYTES_PER_CHUNK = 2**20
"""What a column chunk may take besides: page headers, dictionaries of a few values."""

NESTED = "is nested"

_MAGIC_AND_LENGTH = 8
_NUMBERS = frozenset({"INT32", "INT64", "FLOAT", "DOUBLE"})


def footer_bytes(tail: bytes) -> int:
    """Length of the footer as the file's last 8 bytes claim it, with those 8 bytes."""
    return int.from_bytes(tail[-_MAGIC_AND_LENGTH:-4], "little") + _MAGIC_AND_LENGTH


def footer_problem(tail: bytes) -> str | None:
    """Why the footer of a file that ends in `tail` is not to be read; None when it is."""
    if footer_bytes(tail) > MAX_FOOTER_BYTES and tail.endswith(b"PAR1"):
        return (
            f"its footer takes {footer_bytes(tail) / 2**20:.1f} MiB, more than "
            f"{MAX_FOOTER_BYTES // 2**20}: it has too many columns or row groups"
        )
    return None


def rows_problem(metadata: Any) -> str | None:  # noqa: ANN401 - pyarrow has no types
    """Why the rows that a footer claims cannot be believed or held; None when they can."""
    if metadata.num_rows > MAX_ROWS:
        return f"it has {metadata.num_rows:,} rows, more than {MAX_ROWS:,}"
    groups = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
    if sum(groups) != metadata.num_rows or any(rows <= 0 for rows in groups):
        return "its footer contradicts itself"
    return None


def column_problem(column: Any) -> str | None:  # noqa: ANN401 - see above
    """Why a column of a Parquet schema does not hold one number per row; None when it does."""
    if column.max_repetition_level or column.path != column.name:
        return NESTED
    if column.physical_type not in _NUMBERS:
        return "holds no numbers"
    return None


def chunk_problem(chunk: Any, rows: int) -> str | None:  # noqa: ANN401 - see above
    """Why a column chunk is not to be decoded, by what the footer says of it; None when it is."""
    allowed = rows * _BYTES_PER_VALUE + _BYTES_PER_CHUNK
    if chunk.total_uncompressed_size > allowed:
        return f"unpacks to {chunk.total_uncompressed_size:,} bytes for {rows:,} rows"
    if chunk.num_values != rows:
        return f"has {chunk.num_values:,} values in {rows:,} rows"
    return None


def columns_problem(file: Any, columns: Sequence[str], texts: Collection[str]) -> str | None:  # noqa: ANN401 - see above
    """Why these columns of an opened file are not to be decoded; None when they are.

    Args:
        file: A `pyarrow.parquet.ParquetFile`.
        columns: Names of columns that shall hold one value per row.
        texts: Which of them hold names, decoded as dictionaries, instead of numbers.
    """
    if problem := rows_problem(file.metadata):
        return problem
    positions = {name: position for position, name in enumerate(file.schema.names)}
    for name in columns:
        if name not in positions:
            return f"there is no column {name!r}"
        problem = column_problem(file.schema.column(positions[name]))
        if problem and (problem == NESTED or name not in texts):
            return f"column {name!r} {problem}"
        for group in map(file.metadata.row_group, range(file.metadata.num_row_groups)):
            if problem := chunk_problem(group.column(positions[name]), group.num_rows):
                return f"column {name!r} {problem}"
    return None
