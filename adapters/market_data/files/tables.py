"""A file's bytes as a table: CSV of any common separator or Parquet, compressed or not."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from storage.parquet.limits import footer_problem, rows_problem
from trading.errors import DataError

ENDINGS = (".csv", ".csv.gz", ".parquet", ".parquet.gz")
"""How the files' names end, in small letters."""

MAX_BYTES = 2**30
"""Unpacked: minutes of 40 years take a quarter of it as text."""

_GZIP = b"\x1f\x8b"
_SEPARATORS = ",;\t|"
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "#N/A"]
_AGAIN = "deliver the file again"

Choice = Callable[[Sequence[str]], tuple[Sequence[str], Sequence[str]]]
"""From a table's columns to those to read: as text, and as numbers."""


def read_table(name: str, content: bytes, file: str, choose: Choice) -> pa.Table:
    """The chosen columns of a file.

    Args:
        name: Its name, whose ending says what it is.
        content: Its bytes.
        file: What to call it in an error.
        choose: Which columns to read.

    Raises:
        DataError: It is not what its name says, cut short, or holds text where numbers should be.
    """
    if content.startswith(_GZIP):
        content = _unpacked(content, file)
    if not content.strip():
        raise DataError(file, "it is empty", _AGAIN)
    if ".parquet" in name.lower():
        return _parquet(content, file, choose)
    return _csv(content, file, choose)


def _unpacked(content: bytes, file: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            unpacked = packed.read(MAX_BYTES + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(file, "it is no whole gzip file", _AGAIN) from error
    if len(unpacked) > MAX_BYTES:
        problem = f"unpacked it is larger than {MAX_BYTES // 2**20} MiB"
        raise DataError(file, problem, "split it by year")
    return unpacked


def _csv(content: bytes, file: str, choose: Choice) -> pa.Table:
    separator = _separator(content, file)
    parse = pa.csv.ParseOptions(delimiter=separator)
    try:
        names = pa.csv.open_csv(io.BytesIO(_first_lines(content)), parse_options=parse).schema.names
        texts, numbers = choose([name.removeprefix("\ufeff") for name in names])
        return pa.csv.read_csv(
            io.BytesIO(content),
            parse_options=parse,
            convert_options=pa.csv.ConvertOptions(
                include_columns=[*texts, *numbers],
                column_types=dict.fromkeys(texts, pa.string())
                | dict.fromkeys(numbers, pa.float64()),
                null_values=_MISSING,
                strings_can_be_null=True,
            ),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError) as error:
        problem = f"it is no CSV of numbers ({_short(error)})"
        raise DataError(file, problem, "correct the line, or deliver the file again") from error


def _first_lines(content: bytes) -> bytes:
    """The header and one row, by which the columns are known."""
    first = content.find(b"\n")
    second = content.find(b"\n", first + 1) if first >= 0 else -1
    return content[: second + 1] if second >= 0 else content + b"\n"


def _separator(content: bytes, file: str) -> str:
    try:
        header = content.partition(b"\n")[0].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(file, "it is no text in UTF-8", "save it as UTF-8") from error
    return max(_SEPARATORS, key=header.count)


def _parquet(content: bytes, file: str, choose: Choice) -> pa.Table:
    problem = footer_problem(content[-8:])
    if problem:
        raise DataError(file, problem, _AGAIN)
    try:
        parquet = pq.ParquetFile(io.BytesIO(content))
        problem = rows_problem(parquet.metadata)
        if problem:
            raise DataError(file, problem, "split it by year")
        texts, numbers = choose(parquet.schema_arrow.names)
        table = parquet.read(columns=[*texts, *numbers])
        return _with_numbers(table, numbers)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(
            file, f"it is no Parquet file of numbers ({_short(error)})", _AGAIN
        ) from error


def _with_numbers(table: pa.Table, numbers: Sequence[str]) -> pa.Table:
    for name in numbers:
        position = table.schema.get_field_index(name)
        column = table.column(position).cast(pa.float64(), safe=False)
        table = table.set_column(position, name, column)
    return table


def _short(error: Exception) -> str:
    return ascii(" ".join(str(error).split()))[1:-1][:160] or type(error).__name__
