"""Result files of the lake: Parquet with fingerprint and lineage in the footer.

A file that is no result of its own partition counts as absent when work is planned, so that it is
made again, and as an error when it is read, so that nothing is computed from something else.

A session file that a month's file keeps (`lake.compaction.month_files`) is read as if it lay
there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from importlib.metadata import version
from itertools import accumulate

import pyarrow as pa
import pyarrow.parquet as pq

from lake.compaction.month_files import kept_metadata, read_kept
from lake.fingerprint_index import is_worthwhile, looked_up
from lake.listing import files_with
from storage.backends import FileIdentity
from storage.directory import Directory
from storage.errors import ContentError, StorageError
from storage.parquet.entries import encoded, read_entries, texts
from storage.parquet.limits import footer_problem

MAX_FILE_BYTES = 2**30
"""Longest file that is read as a result: a year of minutes takes some 10 MB."""

_FOOTER_BYTES = 16_384
"""How much of a file's end is read for its footer."""


@dataclass(frozen=True, slots=True)
class FileLineage:
    """What a result file says of itself, in its key-value metadata.

    Attributes:
        dataset: The dataset that it belongs to, e.g. `silver`.
        symbol: The symbol that it belongs to.
        fingerprint: Hash of what its rows were computed from.
        flow_run_id: The run that computed it; empty outside of one.
        more: What else the dataset keeps there, by name.
    """

    dataset: str
    symbol: str
    fingerprint: str
    flow_run_id: str
    more: Mapping[str, str] = field(default_factory=dict)

    def metadata(self) -> dict[str, str]:
        """The footer's entries."""
        return {
            **self.more,
            "dataset": self.dataset,
            "symbol": self.symbol,
            "fingerprint": self.fingerprint,
            "flow_run_id": self.flow_run_id,
            "code_version": _code_version(),
            "written_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        }


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A result file as it was read.

    Attributes:
        table: Its rows.
        metadata: Its footer's entries.
        row_groups: How many rows each row group has that was read from a file of its own.
    """

    table: pa.Table
    metadata: Mapping[str, str]
    row_groups: tuple[int, ...] = ()


def write_file(
    directory: Directory,
    name: str,
    table: pa.Table,
    lineage: FileLineage,
    *,
    row_groups: Sequence[int] = (),
) -> str:
    """Write one result file, whole or not at all, and return its URL.

    Args:
        directory: The lake.
        name: The file, relative to the lake.
        table: Its rows.
        lineage: What its footer says.
        row_groups: How many rows each row group has, in order; none for one group.

    Raises:
        StorageError: It cannot be written; an earlier one is still there.
    """
    counts = row_groups or (table.num_rows,)
    starts = accumulate((0, *counts[:-1]))
    groups = [table.slice(first, rows) for first, rows in zip(starts, counts, strict=True)]
    directory.write_bytes(name, encoded(groups, lineage.metadata()))
    return directory.url_of(name)


def read_file(
    directory: Directory,
    name: str,
    dataset: str,
    symbol: str,
    columns: Sequence[str] | None = None,
    *,
    row_group: int | None = None,
) -> StoredFile:
    """Read one result file.

    Args:
        directory: The lake.
        name: The file, relative to the lake.
        dataset: The dataset that it must belong to.
        symbol: The symbol that it must belong to.
        columns: Columns to read; None for all.
        row_group: The one row group to read; None for all.

    Raises:
        ContentError: It is damaged, or no result of this dataset and symbol.
        StorageError: It cannot be read.
    """
    try:
        content = directory.read_bytes(name)
    except StorageError as error:
        # Looked for after its own file: who removes that has put it into the month's before.
        kept = None
        if _is_missing(directory, name, error):
            kept = read_kept(directory, name, columns, row_group=row_group)
        if kept is None:
            raise
        if not _is_of(kept[1], dataset, symbol):
            raise _no_result(directory, name, dataset, symbol) from error
        return StoredFile(*kept)
    try:
        return _decoded(content, dataset, symbol, columns, row_group)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise _no_result(directory, name, dataset, symbol) from error


def is_stored(directory: Directory, name: str) -> bool:
    """Whether there is such a file, or a month's keeps it.

    Raises:
        ContentError: The month's file is damaged.
        StorageError: The place cannot be asked.
    """
    return directory.identity(name) is not None or kept_metadata(directory, name) is not None


def _is_missing(directory: Directory, name: str, error: StorageError) -> bool:
    """Whether a file could not be read because there is none: what cannot be read is no less."""
    return not error.transient and directory.identity(name) is None


def _no_result(directory: Directory, name: str, dataset: str, symbol: str) -> ContentError:
    return ContentError(
        directory.url_of(name),
        f"the file is damaged or no {dataset} of {symbol}",
        "remove it and build the dataset again, which makes what is missing",
    )


def _decoded(
    content: bytes,
    dataset: str,
    symbol: str,
    columns: Sequence[str] | None,
    row_group: int | None,
) -> StoredFile:
    if len(content) > MAX_FILE_BYTES:
        raise ValueError("it is larger than any result")
    if problem := footer_problem(content[-8:]):
        raise ValueError(problem)
    file = pq.ParquetFile(pa.BufferReader(content))
    metadata = texts(file.metadata.metadata)
    if not _is_of(metadata, dataset, symbol):
        raise ValueError("it belongs to another dataset or symbol")
    if row_group is not None and row_group >= file.num_row_groups:
        raise ValueError("it has fewer row groups than such a file")
    if row_group is None:
        table = file.read(columns=columns, use_threads=False)
    else:
        table = file.read_row_group(row_group, columns=columns, use_threads=False)
    groups = range(file.num_row_groups) if row_group is None else [row_group]
    counts = tuple(file.metadata.row_group(group).num_rows for group in groups)
    return StoredFile(table.replace_schema_metadata(None), metadata, counts)


def stored_fingerprints(
    directory: Directory,
    folder: str,
    dataset: str,
    symbol: str,
    *,
    first: date | None = None,
    last: date | None = None,
) -> dict[str, str]:
    """Fingerprints of a symbol's result files in a folder, by file name relative to the lake.

    Of a few files on this machine it reads the end of each; of many, and in a store of objects, of
    those that changed since the last time. What is no result of this dataset and symbol is left
    out.

    Args:
        directory: The lake.
        folder: The folder, relative to it.
        dataset: The dataset that the files must belong to.
        symbol: The symbol that they must belong to.
        first: First date that a file is to have; None is no bound.
        last: Last date, the same.

    Raises:
        StorageError: The folder or a file cannot be accessed.
    """
    listed = files_with(directory, folder, first, last)
    whole = first is None and last is None
    return listed_fingerprints(directory, folder, listed, dataset, symbol, whole=whole)


def listed_fingerprints(
    directory: Directory,
    folder: str,
    listed: Mapping[str, FileIdentity],
    dataset: str,
    symbol: str,
    *,
    whole: bool,
) -> dict[str, str]:
    """`stored_fingerprints` of files that were listed already.

    Args:
        directory: The lake.
        folder: The folder, relative to it.
        listed: The files by their name in the folder.
        dataset: The dataset that they must belong to.
        symbol: The symbol that they must belong to.
        whole: Whether these are all files of the folder.

    Raises:
        StorageError: A file cannot be accessed.
    """
    files = {f"{folder}/{name}": identity for name, identity in listed.items()}
    indexed = is_worthwhile(directory, len(files))

    def look(name: str) -> str | None:
        return stored_metadata(directory, name, dataset, symbol).get("fingerprint")

    return looked_up(directory, folder, files, look, indexed=indexed, whole=whole)


def stored_metadata(
    directory: Directory, name: str, dataset: str, symbol: str
) -> Mapping[str, str]:
    """The footer's entries of a file, from its end; empty when it is no result of the symbol.

    Raises:
        StorageError: The file cannot be accessed.
    """
    try:
        metadata: Mapping[str, str] = texts(read_entries(directory, name, _FOOTER_BYTES))
    except StorageError as error:
        kept = kept_metadata(directory, name) if _is_missing(directory, name, error) else None
        if kept is None:
            raise
        metadata = kept
    return metadata if _is_of(metadata, dataset, symbol) else {}


def _is_of(metadata: Mapping[str, str], dataset: str, symbol: str) -> bool:
    return (
        metadata.get("dataset") == dataset
        and metadata.get("symbol") == symbol
        and "fingerprint" in metadata
    )


@lru_cache(maxsize=1)
def _code_version() -> str:
    return version("trading-fanout")
