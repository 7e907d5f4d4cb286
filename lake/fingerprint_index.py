"""An index of a folder's stored results: their fingerprints by version, without opening each.

A store of objects answers for a thousand files in one listing, with the version of each, but
takes a request to look into one; a local disk tells versions many times faster than footers are
read. What was once looked into is therefore kept in one hidden file beside the results. An entry
counts for the version it was read from and for no other, so the file can be lost, old or
overwritten by another planner: that costs requests, never a wrong plan.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress

from storage.backends import FileIdentity
from storage.directory import Directory
from storage.errors import StorageError

NAME = ".fingerprints.json"

WORTHWHILE = 16
"""Files of a folder from which on the index spares more requests than it costs."""

WORTHWHILE_ON_DISK = 100
"""The same on this machine, where a file is quickly opened."""

Index = dict[str, tuple[str, str | None]]
"""File name -> the version that was looked into, and its fingerprint; None of no result."""


def is_worthwhile(directory: Directory, count: int) -> bool:
    """Whether so many files are looked up in an index first."""
    if directory.is_local:
        return count >= WORTHWHILE_ON_DISK
    return directory.store.knows_versions and count >= WORTHWHILE


def read_index(directory: Directory, folder: str) -> Index:
    """The folder's index; empty when there is none that can be used.

    Raises:
        StorageError: The place cannot be asked.
    """
    try:
        entries = json.loads(directory.read_bytes(f"{folder}/{NAME}"))
        return {name: (str(version), found) for name, (version, found) in entries.items()}
    except StorageError as error:
        if error.transient:
            raise
    except (ValueError, TypeError, AttributeError):
        pass  # half of it is another program's: it is made again
    return {}


def write_index(directory: Directory, folder: str, index: Index) -> None:
    """Keep the index; when that fails the next reader looks into the files again."""
    with suppress(StorageError):
        content = json.dumps(index, separators=(",", ":"))
        directory.write_bytes(f"{folder}/{NAME}", content.encode())


def known_fingerprints(index: Index, files: Mapping[str, FileIdentity]) -> dict[str, str | None]:
    """Of the files that are still the version the index knows, the fingerprint."""
    return {
        name: index[name][1]
        for name, identity in files.items()
        if name in index and index[name][0] == identity.version
    }


def looked_up(
    directory: Directory,
    folder: str,
    files: Mapping[str, FileIdentity],
    look: Callable[[str], str | None],
    *,
    indexed: bool,
    whole: bool,
) -> dict[str, str]:
    """The fingerprints of a folder's files, by file name relative to the directory.

    Args:
        directory: Where the folder is.
        folder: The folder, relative to it.
        files: The files by that name, as they were listed.
        look: The fingerprint that a file says it has; None of no result.
        indexed: Whether the index is asked first, and told what was looked up.
        whole: Whether these are all files of the folder.

    Raises:
        StorageError: The place cannot be asked.
    """
    settled = {n: one for n, one in files.items() if indexed and directory.is_settled(one)}
    index = read_index(directory, folder) if indexed else {}
    known = known_fingerprints(index, files)
    unknown = [name for name in files if name not in known]
    known |= zip(unknown, directory.map(look, unknown), strict=True)
    if indexed:
        seen: Index = {name: (one.version, known[name]) for name, one in settled.items()}
        grown = seen if whole else index | seen
        if grown != index:
            write_index(directory, folder, grown)
    return {name: text for name in files if (text := known[name]) is not None}
