"""Putting the session files of settled months into a file each, without changing what is read.

A month is written whole, read again and compared; only then, and some time later, are the session
files removed that it keeps as they are. So a reader that has listed files finds them, and whenever
the process dies all is there at least once: the next run goes on. What was corrected since lies
beside the month and counts in its place, until the next run puts it in.

Others may write sessions meanwhile, and another compaction may run: a session file is removed, and
a month's file replaced, only as it was read. What has changed since is left for the next run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import pyarrow as pa

from lake.bronze.settlement import settlement_start
from lake.compaction.month_files import (
    LooseFile,
    MonthFile,
    month_file,
    month_name,
    read_kept,
    write_month,
)
from lake.files import read_file
from lake.folders import folders_in
from lake.grain import Grain
from lake.silver.bronze_rows import BRONZE
from lake.silver.table import SILVER
from lake.stretch import SUFFIX, Stretch
from storage.directory import Directory
from storage.errors import ContentError, FileError
from trading.errors import DataError, TradingError

GRACE = timedelta(hours=1)
"""How long session files stay after their month was written, for those who have listed them."""

_OF_ARROW = "ARROW:schema"
"""An entry that the writer of Parquet adds by itself."""

_FEWEST = 2
"""Session files that are worth a month's file."""


class MonthState(StrEnum):
    """How a month is, after a run."""

    DUE = "due"
    """Its session files are to be put into one; said by a dry run."""
    WAITING = "waiting"
    """They are in one, and stay for a while beside it."""
    DONE = "done"
    """They are in one, and gone."""
    FAILED = "failed"
    """They could not be put into one; they are as they were."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthOutcome:
    """What became of one month of one symbol.

    Attributes:
        folder: Whose files, relative to the lake, e.g. `silver/AAPL`.
        month: The month's file name without its ending, e.g. `2024-01`.
        state: How it is now.
        written: Session files that this run put into the month's file.
        removed: Session files that it removed.
        reason: Why it failed; empty when it did not.
    """

    folder: str
    month: str
    state: MonthState
    written: int = 0
    removed: int = 0
    reason: str = ""


def compact(
    lake: Directory,
    now: datetime,
    *,
    symbols: Collection[str] = (),
    grace: timedelta = GRACE,
    dry_run: bool = False,
    told: Callable[[str], None] | None = None,
) -> list[MonthOutcome]:
    """Put the session files of bronze and silver into a file for each settled month.

    A month that fails stops no other.

    Args:
        lake: The lake.
        now: The time, aware: months with a session that a source may still correct are left alone.
        symbols: Whose; none for all.
        grace: How long session files stay after their month was written.
        dry_run: Whether to say which months are due and change nothing.
        told: Is told each folder before it is looked at.

    Returns:
        What became of each month that has session files.

    Raises:
        StorageError: The lake cannot be listed.
    """
    settling = settlement_start(now)
    found = []
    for folder in _folders(lake, symbols):
        if told is not None:
            told(folder)
        for month, names in _months(lake, folder, settling):
            if dry_run:
                found.append(_planned(lake, folder, month, names))
            else:
                found.append(_compacted(lake, folder, month, names, now - grace if grace else None))
    return [one for one in found if one is not None]


def _folders(lake: Directory, symbols: Collection[str]) -> Iterator[str]:
    """The folders that may have session files, one of each symbol."""
    parents = [SILVER]
    for source in folders_in(lake, BRONZE):
        below = f"{BRONZE}/{source}"
        parents += [f"{below}/{interval}" for interval in folders_in(lake, below)]
    for parent in parents:
        for symbol in folders_in(lake, parent):
            if not symbols or symbol in symbols:
                yield f"{parent}/{symbol}"


def _months(lake: Directory, folder: str, settling: date) -> Iterator[tuple[Stretch, list[str]]]:
    """The settled months that have session files, with these; not those made as one file."""
    stretches = {n: _stretch(n) for n in lake.list_files(folder) if n.endswith(SUFFIX)}
    there = {stretch for stretch in stretches.values() if stretch is not None}
    by_month: dict[Stretch, list[str]] = {}
    for name, stretch in stretches.items():
        if stretch is not None and stretch.grain is Grain.SESSION:
            month = Stretch.around(stretch.first, Grain.MONTH)
            by_month.setdefault(month, []).append(name)
    for month, names in sorted(by_month.items()):
        year = Stretch.around(month.first, Grain.YEAR)
        if month.last < settling and not there & {month, year}:
            yield month, names


def _stretch(name: str) -> Stretch | None:
    try:
        return Stretch.of_file(name)
    except DataError:
        return None


def _planned(
    lake: Directory, folder: str, month: Stretch, names: Collection[str]
) -> MonthOutcome | None:
    kept = lake.identity(month_name(folder, month)) is not None
    if not kept and len(names) < _FEWEST:
        return None
    return MonthOutcome(folder=folder, month=month.stem, state=MonthState.DUE)


def _compacted(
    lake: Directory,
    folder: str,
    month: Stretch,
    names: Collection[str],
    written_before: datetime | None,
) -> MonthOutcome | None:
    """Write a month if it lacks a session file as it is now, and remove what it may let go."""
    try:
        kept = month_file(lake, folder, month)
        if kept is None and len(names) < _FEWEST:
            return None
        written = _written(lake, folder, month, names, kept)
        removed = _removed(lake, folder, month, names, written_before)
    except (FileError, TradingError) as error:
        return MonthOutcome(
            folder=folder, month=month.stem, state=MonthState.FAILED, reason=str(error)
        )
    state = MonthState.DONE if removed == len(names) else MonthState.WAITING
    return MonthOutcome(
        folder=folder, month=month.stem, state=state, written=written, removed=removed
    )


def _written(
    lake: Directory, folder: str, month: Stretch, names: Collection[str], kept: MonthFile | None
) -> int:
    """Put what the month's file lacks into it; how many session files that are.

    Raises:
        ContentError: A session file, or the month's, is damaged.
        DataError: The files do not fit into one.
        StorageError: A file cannot be read or written.
    """
    loose = {name: _loose(lake, f"{folder}/{name}") for name in sorted(names)}
    known = {} if kept is None else kept.sessions
    new = [n for n in loose if n not in known or known[n].metadata != dict(loose[n].metadata)]
    if not new:
        return 0
    gone = (name for name in known if name not in loose)
    others = {n: _of_month(lake, f"{folder}/{n}", len(known[n].rows)) for n in gone}
    every = others | loose
    write_month(lake, folder, month, every, None if kept is None else kept.identity)
    _check(lake, folder, every)
    return len(new)


def _removed(
    lake: Directory,
    folder: str,
    month: Stretch,
    names: Collection[str],
    written_before: datetime | None,
) -> int:
    """Remove the session files that the month's file keeps as they are, once it is old enough.

    Raises:
        ContentError, StorageError: A file cannot be read or removed.
    """
    kept = month_file(lake, folder, month)
    if kept is None or (written_before is not None and kept.written_at > written_before):
        return 0
    count = 0
    for name in sorted(names):
        identity = lake.identity(f"{folder}/{name}")
        if identity is None or name not in kept.sessions:
            continue
        same = _loose(lake, f"{folder}/{name}").metadata == kept.sessions[name].metadata
        # As it was before it was read: it may have been corrected since.
        if same and lake.remove_seen(f"{folder}/{name}", identity):
            count += 1
    return count


def _check(lake: Directory, folder: str, sessions: Mapping[str, LooseFile]) -> None:
    """Compare a month's file as it is stored with what it should keep.

    Raises:
        ContentError: It does not keep it.
    """
    for name, file in sessions.items():
        stored = read_kept(lake, f"{folder}/{name}")
        rows = pa.concat_tables(file.row_groups)
        if stored is None or dict(stored[1]) != dict(file.metadata) or stored[0] != rows:
            raise ContentError(
                lake.url_of(f"{folder}/{name}"),
                "the month's file says something else of it, as when another process compacts, too",
                "run again, and where it stays so ingest or build that session again",
            )


def _of_month(lake: Directory, name: str, row_groups: int) -> LooseFile:
    """A session file that the month's file keeps and that lies there no longer."""
    found = [read_kept(lake, name, row_group=group) for group in range(row_groups)]
    parts = [part for part in found if part is not None]
    if len(parts) < row_groups:
        url, problem = lake.url_of(name), "another process is writing its month"
        raise ContentError(url, problem, "run again when that has ended")
    return LooseFile(tuple(rows for rows, _ in parts), parts[0][1])


def _loose(lake: Directory, name: str) -> LooseFile:
    """A session file as it lies there.

    Raises:
        ContentError: It is damaged, or no result of its folder and symbol.
        StorageError: It cannot be read.
    """
    words = name.split("/")
    whole = read_file(lake, name, words[0], words[-2])
    groups = []
    first = 0
    for rows in whole.row_groups:
        groups.append(whole.table.slice(first, rows))
        first += rows
    said = {key: value for key, value in whole.metadata.items() if key != _OF_ARROW}
    return LooseFile(tuple(groups), said)
