"""What a Parquet file may claim of itself, checked before it is believed and decoded.

A few kilobytes can claim a billion rows, a thousand values per row, or text of a megabyte in each
row. So nothing is decoded whose footer claims more than these bounds: with them one column takes at
most `MAX_ROWS` numbers of 8 bytes, 32 MiB, twice that of decimals, and the same again while nulls
are put in; an opened footer takes some 300 MB. One lie remains: the size of a page stands before
the page itself, and the format's limit for it is 2 GiB, which is unpacked, and freed, before the
page is found not to fit.

Nothing here asks pyarrow (26) for the metadata of a column chunk: where those contradict themselves
it ends the whole process instead of raising. Asked for the data, it finds the fault and raises.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

MAX_FOOTER_BYTES = 8 * 2**20
"""Longest footer: 100,000 columns as we write them. Decoded it takes thirty times its size."""

MAX_ROWS = 2**22
"""Most rows of a file: minute bars of 40 years. Thirteen times the hourly bars since 1792."""

MAX_DECIMAL_BYTES = 16
"""Longest decimal: 38 digits, the most that Spark and DuckDB have."""

NESTED = "is nested"

INT96 = "INT96"
"""Physical type of the timestamps that Spark writes by default: 12 bytes each."""

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
    if column.physical_type in _NUMBERS or _is_short_decimal(column):
        return None
    return "holds no numbers"


def _is_short_decimal(column: Any) -> bool:  # noqa: ANN401 - see above
    """Whether it holds decimals of a fixed, small number of bytes."""
    fixed = column.physical_type == "FIXED_LEN_BYTE_ARRAY"
    decimal = column.logical_type.type == "DECIMAL"
    return bool(fixed and decimal and column.length <= MAX_DECIMAL_BYTES)


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
    return None
