"""Which files a symbol's folder has, and which of them have some days.

Session files that a month's file keeps are listed like those that lie there.

A folder gets a file more with every session. To ask for a few names costs the same after one year
as after twenty; to list the folder does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from lake.compaction.month_files import sessions_in_months
from lake.grain import Grain
from lake.stretch import SUFFIX, Stretch
from storage.backends import FileIdentity
from storage.directory import Directory
from trading.errors import DataError

MOST_ASKED = 800
"""Names up to which each is asked for: some two years. A local folder of 1,258 files is listed in
the time of about as many questions; a store of objects lists a thousand in that of one."""


def files_in(directory: Directory, folder: str) -> dict[str, FileIdentity]:
    """All Parquet files of the folder, by name in order.

    Args:
        directory: The lake.
        folder: The folder, relative to the lake.

    Raises:
        ContentError: A month's file is damaged.
        StorageError: The folder cannot be listed.
    """
    return files_with(directory, folder, None, None)


def files_with(
    directory: Directory, folder: str, first: date | None, last: date | None
) -> dict[str, FileIdentity]:
    """The folder's Parquet files that have a date from `first` to `last`, by name in order.

    Args:
        directory: The lake.
        folder: The folder, relative to it.
        first: First date; None is no bound, and then files whose names say no date are there, too.
        last: Last date, the same.

    Raises:
        ContentError: A month's file is damaged.
        StorageError: The folder or a file cannot be accessed.
    """
    # The months after the files: who removes a session file has put it into its month before.
    files = _own(directory, folder, first, last)
    return dict(sorted((sessions_in_months(directory, folder, first, last) | files).items()))


def _own(
    directory: Directory, folder: str, first: date | None, last: date | None
) -> dict[str, FileIdentity]:
    """The files that lie in the folder itself."""
    if first is not None and last is not None and _is_asked(directory, first, last):
        names = (f"{stretch.stem}{SUFFIX}" for stretch in _stretches(first, last))
        asked = ((name, directory.identity(f"{folder}/{name}")) for name in names)
        return {name: found for name, found in asked if found is not None}
    listed = directory.list_files(folder)
    files = {name: found for name, found in listed.items() if name.endswith(SUFFIX)}
    if first is None and last is None:
        return files
    return {name: found for name, found in files.items() if _overlaps(name, first, last)}


def _is_asked(directory: Directory, first: date, last: date) -> bool:
    return directory.is_local and (last - first).days < MOST_ASKED


def _stretches(first: date, last: date) -> Iterator[Stretch]:
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    for grain in (Grain.SESSION, Grain.MONTH, Grain.YEAR):
        yield from dict.fromkeys(Stretch.around(day, grain) for day in days)


def _overlaps(name: str, first: date | None, last: date | None) -> bool:
    try:
        return Stretch.of_file(name).overlaps(first, last)
    except DataError:
        return False
