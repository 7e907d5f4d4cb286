"""The entries in the footer of a Parquet file: written with its rows, and read from its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from storage.directory import Directory
from storage.parquet.limits import MAX_FOOTER_BYTES, footer_bytes


def encoded(row_groups: Sequence[pa.Table], entries: Mapping[str, str]) -> memoryview:
    """A Parquet file of these row groups with these entries in its footer."""
    schema = row_groups[0].schema.with_metadata(dict(entries))
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema, compression="zstd", write_statistics=True) as writer:
        for table in row_groups:
            writer.write_table(table.cast(schema), row_group_size=max(1, table.num_rows))
    return memoryview(sink.getvalue())


def read_entries(directory: Directory, name: str, expected_bytes: int) -> Mapping[bytes, bytes]:
    """The entries of a file's footer; none when it cannot be understood.

    Args:
        directory: Where the file is.
        name: Its name.
        expected_bytes: How much of its end is read at first; more only if the footer is longer.

    Raises:
        StorageError: The file cannot be accessed.
    """
    tail = directory.read_tail(name, expected_bytes)
    footer = footer_bytes(tail)
    if footer > MAX_FOOTER_BYTES:
        return {}
    if footer > len(tail):
        tail = directory.read_tail(name, footer)
    try:
        return pq.read_metadata(pa.BufferReader(tail)).metadata or {}
    except (pa.ArrowException, OSError):
        return {}


def texts(entries: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """Entries as text."""
    found = (entries or {}).items()
    return {key.decode(): value.decode(errors="replace") for key, value in found}
