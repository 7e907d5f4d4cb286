"""A month's session files kept in one Parquet file, and read as the files they were.

    silver/AAPL/20240102.parquet ... 20240131.parquet  ->  silver/AAPL/_months/2024-01.parquet

It holds the rows of each session file and all that its footer said, fingerprint and time of writing
included. So a session in it is the same partition as before: it is listed under the name of its own
file and read by it, and nothing that was made of it is stale. A session file that lies beside it
counts in its place: that is how a session is corrected afterwards.

The row group g has the rows of the sessions' row groups g, in the order of sessions, so that the
file as a whole is ordered like a session file, and other programs read it as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache

import pyarrow as pa
import pyarrow.parquet as pq

from lake.grain import Grain
from lake.stretch import SUFFIX, Stretch
from storage.backends import FileIdentity
from storage.directory import Directory
from storage.errors import ContentError
from storage.parquet.entries import encoded, read_entries, texts
from storage.parquet.limits import footer_problem
from trading.errors import DataError

MONTHS = "_months"
"""The folder of these files, beside the session files. Readers of plain files do not look there."""

MAX_FILE_BYTES = 2**30
"""Longest file that is read: a month of minutes takes about a megabyte."""

_SESSIONS = "session_files"
_FOOTER_BYTES = 65_536
_FEW_DAYS = 800
"""Up to which months are asked for one by one; more are listed."""


@dataclass(frozen=True, slots=True)
class SessionFile:
    """A session file as a month's file keeps it.

    Attributes:
        metadata: The entries of its footer.
        rows: Of each row group, the first of its rows in the month's row group, and how many.
    """

    metadata: Mapping[str, str]
    rows: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class MonthFile:
    """A stored month.

    Attributes:
        name: The file, relative to the lake.
        identity: Which version of it.
        written_at: When it was written.
        sessions: What it keeps, by the name that each file had in its folder, in order.
    """

    name: str
    identity: FileIdentity
    written_at: datetime
    sessions: Mapping[str, SessionFile]


@dataclass(frozen=True, slots=True)
class LooseFile:
    """A session file to be kept in a month's.

    Attributes:
        row_groups: Its rows, by row group.
        metadata: The entries of its footer.
    """

    row_groups: tuple[pa.Table, ...]
    metadata: Mapping[str, str]


def month_name(folder: str, month: Stretch) -> str:
    """The file of a month, relative to the lake."""
    return f"{folder}/{MONTHS}/{month.stem}{SUFFIX}"


def month_file(directory: Directory, folder: str, month: Stretch) -> MonthFile | None:
    """What a month's file keeps; None when there is none.

    Raises:
        ContentError: It is damaged. The sessions in it are then unknown, not missing.
        StorageError: It cannot be read.
    """
    name = month_name(folder, month)
    identity = directory.identity(name)
    return None if identity is None else _looked_into(directory, name, identity)


def sessions_in_months(
    directory: Directory, folder: str, first: date | None, last: date | None
) -> dict[str, FileIdentity]:
    """The session files that a folder's months keep, by name in order, with the month's identity.

    Args:
        directory: The lake.
        folder: The folder of the session files, relative to it.
        first: First date; None is no bound.
        last: Last date, the same.

    Raises:
        ContentError: A month's file is damaged.
        StorageError: The folder or a file cannot be accessed.
    """
    found: dict[str, FileIdentity] = {}
    for month in _months(directory, folder, first, last):
        kept = month_file(directory, folder, month)
        if kept is not None:
            found |= {
                name: kept.identity
                for name in kept.sessions
                if Stretch.of_file(name).overlaps(first, last)
            }
    return found


def kept_metadata(directory: Directory, name: str) -> Mapping[str, str] | None:
    """What a session file said of itself that a month's file keeps; None when none does.

    Args:
        directory: The lake.
        name: The session file, relative to the lake.

    Raises:
        ContentError: The month's file is damaged.
        StorageError: It cannot be read.
    """
    folder, session, month = _split(name)
    kept = None if month is None else month_file(directory, folder, month)
    found = None if kept is None else kept.sessions.get(session)
    return None if found is None else found.metadata


def read_kept(
    directory: Directory,
    name: str,
    columns: Sequence[str] | None = None,
    *,
    row_group: int | None = None,
) -> tuple[pa.Table, Mapping[str, str]] | None:
    """The rows and the footer of a session file that a month's file keeps; None when none does.

    Args:
        directory: The lake.
        name: The session file, relative to the lake.
        columns: Columns to read; None for all.
        row_group: The one row group to read; None for all.

    Raises:
        ContentError: The month's file is damaged.
        StorageError: It cannot be read.
    """
    folder, session, month = _split(name)
    if month is None:
        return None
    stored = month_name(folder, month)
    identity = directory.identity(stored)
    if identity is None:
        return None
    chosen = None if columns is None else tuple(columns)
    try:
        # Rows and places are of one version of the file: another may be written at any moment.
        content = _content(directory, stored, identity)
        found = content.sessions.get(session)
        if found is None:
            return None
        groups = range(len(found.rows)) if row_group is None else [row_group]
        parts = [_decoded(content, group, chosen).slice(*found.rows[group]) for group in groups]
    except (pa.ArrowException, OSError, ValueError, LookupError) as error:
        raise _damaged(directory, stored) from error
    return pa.concat_tables(parts), found.metadata


def write_month(
    directory: Directory,
    folder: str,
    month: Stretch,
    sessions: Mapping[str, LooseFile],
    seen: FileIdentity | None,
) -> None:
    """Keep session files in a month's file, whole or not at all.

    Args:
        directory: The lake.
        folder: The folder of the session files.
        month: The month.
        sessions: The files by their names in the folder; all with the same columns and number of
            row groups.
        seen: The month's file that they are of, as far as it keeps them already; None when there
            was none.

    Raises:
        ContentError: Another process has written the month since; what it wrote is there.
        DataError: They differ in these.
        StorageError: It cannot be written; an earlier one is still there.
    """
    name = month_name(folder, month)
    ordered = dict(sorted(sessions.items()))
    files = list(ordered.values())
    shapes = {(len(file.row_groups), *map(str, file.row_groups[0].schema)) for file in files}
    if len(shapes) != 1:
        raise DataError(
            name, "its session files differ in their columns", "make those of older versions again"
        )
    groups = [pa.concat_tables(parts) for parts in zip(*(f.row_groups for f in files), strict=True)]
    first = files[0].metadata
    metadata = {
        "dataset": first["dataset"],
        "symbol": first["symbol"],
        "written_at": datetime.now(UTC).isoformat(timespec="microseconds"),
        _SESSIONS: json.dumps(_places(ordered), separators=(",", ":")),
    }
    if not directory.write_over(name, encoded(groups, metadata), seen):
        url, problem = directory.url_of(name), "another process is compacting this month"
        raise ContentError(url, problem, "run again when that has ended")


def _places(sessions: Mapping[str, LooseFile]) -> dict[str, object]:
    """What the footer says of each session: its own footer, and where its rows are."""
    at = [0] * len(next(iter(sessions.values())).row_groups)
    told: dict[str, object] = {}
    for name, file in sessions.items():
        counts = [table.num_rows for table in file.row_groups]
        told[name] = {
            "metadata": dict(file.metadata),
            "rows": list(zip(at, counts, strict=True)),
        }
        at = [begin + count for begin, count in zip(at, counts, strict=True)]
    return told


def _split(name: str) -> tuple[str, str, Stretch | None]:
    """The folder and the name of a session file, and its month; None of any other file."""
    folder, _, file = name.rpartition("/")
    try:
        stretch = Stretch.of_file(file)
    except DataError:
        return folder, file, None
    if stretch.grain is not Grain.SESSION:
        return folder, file, None
    return folder, file, Stretch.around(stretch.first, Grain.MONTH)


def _months(
    directory: Directory, folder: str, first: date | None, last: date | None
) -> Iterator[Stretch]:
    """The months that may have a file: those asked for when they are few, else those listed."""
    few = first is not None and last is not None and (last - first).days < _FEW_DAYS
    if first is not None and last is not None and few and directory.is_local:
        month = Stretch.around(first, Grain.MONTH)
        while month.first <= last:
            yield month
            month = Stretch.around(date.fromordinal(month.last.toordinal() + 1), Grain.MONTH)
        return
    for name in directory.list_files(f"{folder}/{MONTHS}"):
        month = Stretch.of_file(name)
        if month.overlaps(first, last):
            yield month


def _damaged(directory: Directory, name: str) -> ContentError:
    return ContentError(
        directory.url_of(name),
        "the file is damaged",
        "remove it, then ingest or build the month again, which makes what is missing",
    )


@lru_cache(maxsize=1024)
def _looked_into(directory: Directory, name: str, identity: FileIdentity) -> MonthFile:
    """What a month's file keeps, from its end."""
    said = texts(read_entries(directory, name, _FOOTER_BYTES))
    try:
        written = datetime.fromisoformat(said["written_at"])
        return MonthFile(name, identity, written, _sessions_of(said))
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(directory, name) from error


def _sessions_of(said: Mapping[str, str]) -> dict[str, SessionFile]:
    return {
        name: SessionFile(entry["metadata"], tuple((a, b) for a, b in entry["rows"]))
        for name, entry in json.loads(said[_SESSIONS]).items()
    }


@dataclass(frozen=True, slots=True, eq=False)
class _Content:
    """A month's file as it was read once."""

    content: bytes
    sessions: Mapping[str, SessionFile]


@lru_cache(maxsize=4)
def _content(directory: Directory, name: str, identity: FileIdentity) -> _Content:  # noqa: ARG001 - the version is what the cache knows it by
    content = directory.read_bytes(name)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError("it is larger than any month")
    if problem := footer_problem(content[-8:]):
        raise ValueError(problem)
    said = texts(pq.read_metadata(pa.BufferReader(content)).metadata)
    return _Content(content, _sessions_of(said))


@lru_cache(maxsize=8)
def _decoded(content: _Content, group: int, columns: tuple[str, ...] | None) -> pa.Table:
    """A row group; kept for the next session that is read from the same month."""
    file = pq.ParquetFile(pa.BufferReader(content.content))
    chosen = None if columns is None else list(columns)
    table = file.read_row_group(group, columns=chosen, use_threads=False)
    return table.replace_schema_metadata(None)
