"""Tables as JSON, Arrow IPC or Parquet, as the request accepts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from api.envelope import JSON, ApiError
from trading.units import plain_text

ARROW = "application/vnd.apache.arrow.stream"
PARQUET = "application/vnd.apache.parquet"
TYPES = (JSON, ARROW, PARQUET)


def accepted(header: str | None) -> str:
    """The media type of the answer: the most wanted of those that there are.

    Args:
        header: `Accept`; None for JSON.

    Raises:
        ApiError: None of them is wanted.
    """
    if not header:
        return JSON
    wanted = sorted((_weighted(part) for part in header.split(",")), key=lambda p: -p[1])
    for name, weight in wanted:
        for known in TYPES:
            family = known.partition("/")[0] + "/*"
            if weight > 0 and name in {known, family, "*/*"}:
                return known
    raise ApiError(
        406,
        "not_acceptable",
        f"Accept names none of {', '.join(TYPES)}; ask for one of them.",
    )


def _weighted(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0


def as_bytes(table: pa.Table, media_type: str) -> bytes:
    """A table in a media type; of JSON the list of its rows."""
    if media_type == JSON:
        return rows_as_json(rows_of(table))
    sink = pa.BufferOutputStream()
    if media_type == ARROW:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        pq.write_table(table, sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """A table's rows by column; moments as text in UTC, decimals as text in plain notation."""
    columns = [_plain(table[name]) for name in table.column_names]
    names = table.column_names
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def rows_as_json(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows of `rows_of` as a list of objects; what is no number is null."""
    # They are plain already: looking at each value again takes eight times as long.
    return msgspec.json.encode(rows, enc_hook=str)


def _plain(column: pa.ChunkedArray) -> Sequence[Any]:
    if pa.types.is_timestamp(column.type):
        stamps = column.cast(pa.timestamp("us")).to_numpy()
        texts = np.datetime_as_string(stamps, "us" if _has_fractions(stamps) else "s")
        return [f"{text}Z" if text != "NaT" else None for text in texts.tolist()]
    values: list[Any] = column.to_pylist()
    if pa.types.is_decimal(column.type):
        return [None if value is None else plain_text(value) for value in values]
    return values


def _has_fractions(stamps: Any) -> bool:  # noqa: ANN401 - an array of moments
    return bool((stamps.astype("datetime64[s]") != stamps).any())
