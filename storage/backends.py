"""The protocol of a store of files, and the two stores that need no client of their own.

A store knows paths and raises whatever its filesystem raises; names, retries and messages are
`storage.directory`'s. The store for S3 is `storage.s3`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

SETTLING_SECONDS = 2.0
"""The coarsest clock of a filesystem: within one tick a file can change and keep its time."""

LEFTOVER_SECONDS = 3600.0
"""Age from which a temporary file is a leftover: writing one takes seconds at most."""

_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp")


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What tells one version of a file from the next; equal means unchanged.

    Attributes:
        size: Length in bytes.
        version: The object's ETag, or a local file's inode and modification time in nanoseconds.
    """

    size: int
    version: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What is directly in a folder.

    Attributes:
        files: Names and identities of its files.
        folders: Names of its folders.
    """

    files: dict[str, FileIdentity]
    folders: list[str]


class Store(Protocol):
    """Files by their path; every path is absolute, with `/` between its parts.

    Attributes:
        knows_versions: Whether `list` tells the same versions as `identity`, and `read_range`
            refuses to read another one than it is told.
    """

    knows_versions: bool

    def exists(self, path: str) -> bool:
        """Whether there is a folder, or anything below the prefix."""

    def identity(self, path: str) -> FileIdentity | None:
        """The file's identity now, None when it is missing."""

    def is_settled(self, identity: FileIdentity) -> bool:
        """Whether a file that has this identity from now on has one content alone."""

    def list(self, path: str) -> Listing:
        """What is in the folder; nothing when it is missing."""

    def read(self, path: str) -> bytes:
        """The whole file."""

    def read_tail(self, path: str, size: int) -> bytes:
        """The last `size` bytes of the file, or all of a shorter one."""

    def read_range(self, path: str, start: int, end: int, version: str) -> bytes:
        """The bytes start <= position < end of the file, if possible of this version alone."""

    def write(self, path: str, content: bytes | memoryview) -> None:
        """Put the whole file there, or nothing."""

    def remove(self, path: str) -> None:
        """Remove the file; a missing one may be an error or not."""

    def write_over(self, path: str, content: bytes | memoryview, version: str | None) -> bool:
        """Put the whole file there if this version of it, or none, is there; whether it was."""

    def remove_version(self, path: str, version: str) -> bool:
        """Remove the file if it is this version still; whether it was."""


class LocalStore:
    """Files of this machine: written under a hidden temporary name, synced and renamed."""

    knows_versions = False

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return Path(path).exists()

    def identity(self, path: str) -> FileIdentity | None:
        """Size, inode and time of the file."""
        try:
            status = os.stat(path)  # noqa: PTH116 - asked for every partition; Path costs double
        except (FileNotFoundError, NotADirectoryError):
            return None
        if not stat.S_ISREG(status.st_mode):  # reading a pipe or a device might never end
            raise OSError(errno.EINVAL, "it is not a regular file")
        return _local_identity(status)

    def is_settled(self, identity: FileIdentity) -> bool:
        """Once its time is past: whoever changes it now gives it another one."""
        written_ns = int(identity.version.rpartition("-")[2])
        return written_ns < time.time_ns() - SETTLING_SECONDS * 1e9

    def list(self, path: str) -> Listing:
        """One look at the folder, and one at each file; pipes, devices and dead links left out."""
        listing = Listing({}, [])
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
            for entry in entries:
                try:
                    status = entry.stat()
                except OSError as error:
                    # Renamed since, as another's temporary file is; or a link that leads nowhere.
                    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                        continue
                    raise
                if stat.S_ISDIR(status.st_mode):
                    listing.folders.append(entry.name)
                elif stat.S_ISREG(status.st_mode):
                    listing.files[entry.name] = _local_identity(status)
        return listing

    def read(self, path: str) -> bytes:
        """The whole file."""
        return Path(path).read_bytes()

    def read_tail(self, path: str, size: int) -> bytes:
        """Its end, by seeking."""
        with Path(path).open("rb") as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size))
            return file.read()

    def read_range(self, path: str, start: int, end: int, version: str) -> bytes:  # noqa: ARG002 - a local file is read through one open file
        """A part of it, by seeking."""
        with Path(path).open("rb") as file:
            file.seek(start)
            return file.read(end - start)

    def write(self, path: str, content: bytes | memoryview) -> None:
        """Write, sync, rename: a reader sees the old file or the new one."""
        self._put(path, content)

    def write_over(self, path: str, content: bytes | memoryview, version: str | None) -> bool:
        """The same, unless another version is there: nobody else renames between look and rename.

        Where a file system knows no locks, somebody may.
        """
        return self._put(path, content, lambda: _version(self.identity(path)) == version)

    def _put(
        self, path: str, content: bytes | memoryview, wanted: Callable[[], bool] | None = None
    ) -> bool:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            with _locked(target.parent, fcntl.LOCK_EX if wanted else fcntl.LOCK_SH):
                if wanted is None or wanted():
                    temporary.replace(target)
                    return True
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        temporary.unlink(missing_ok=True)
        return False

    def remove(self, path: str) -> None:
        """Remove it."""
        Path(path).unlink()

    def remove_version(self, path: str, version: str) -> bool:
        """Remove it if it is the same: nobody renames another to it between look and removal."""
        with _locked(Path(path).parent, fcntl.LOCK_EX):
            if _version(self.identity(path)) != version:
                return False
            Path(path).unlink()
            return True

    def remove_leftovers(self, path: str) -> None:
        """Remove the temporary files in the folder whose writers must have been killed."""
        before = time.time() - LEFTOVER_SECONDS
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
            for entry in entries:
                if not _TEMPORARY.fullmatch(entry.name):
                    continue
                with suppress(OSError):  # another's sweep; or nothing here may be removed
                    if entry.stat(follow_symlinks=False).st_mtime < before:
                        Path(entry.path).unlink()


class FsspecStore:
    """Any filesystem of fsspec; it must replace a file at once when it is written whole."""

    knows_versions = False

    def __init__(self, filesystem: Any) -> None:  # noqa: ANN401 - fsspec has no types
        self._filesystem = filesystem

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""
        return bool(self._filesystem.exists(path))

    def identity(self, path: str) -> FileIdentity | None:
        """What the filesystem says of the file, asked anew."""
        try:
            self._filesystem.invalidate_cache(path)
            return _identity(self._filesystem.info(path))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def is_settled(self, identity: FileIdentity) -> bool:  # noqa: ARG002 - nothing is known of it
        """Never: what tells versions apart differs from filesystem to filesystem."""
        return False

    def list(self, path: str) -> Listing:
        """What the filesystem says of the folder, asked anew."""
        try:
            self._filesystem.invalidate_cache(path)
            entries = [(_name(info), info) for info in self._filesystem.ls(path, detail=True)]
        except (FileNotFoundError, NotADirectoryError):
            return Listing({}, [])
        return Listing(
            {name: _identity(info) for name, info in entries if info["type"] == "file"},
            [name for name, info in entries if info["type"] == "directory"],
        )

    def read(self, path: str) -> bytes:
        """The whole file."""
        return bytes(self._filesystem.cat_file(path))

    def read_tail(self, path: str, size: int) -> bytes:
        """Its end, for which its length is asked."""
        length = int(self._filesystem.info(path)["size"])
        return bytes(self._filesystem.cat_file(path, start=max(0, length - size)))

    def read_range(self, path: str, start: int, end: int, version: str) -> bytes:  # noqa: ARG002 - not every filesystem can ask for a version
        """A part of it."""
        return bytes(self._filesystem.cat_file(path, start=start, end=end))

    def write(self, path: str, content: bytes | memoryview) -> None:
        """One call with the whole content."""
        self._filesystem.pipe_file(path, bytes(content))

    def remove(self, path: str) -> None:
        """Remove it."""
        self._filesystem.rm_file(path)

    def write_over(self, path: str, content: bytes | memoryview, version: str | None) -> bool:
        """Look, then write: fsspec has no way to do both at once."""
        if _version(self.identity(path)) != version:
            return False
        self.write(path, content)
        return True

    def remove_version(self, path: str, version: str) -> bool:
        """Look, then remove: fsspec has no way to do both at once."""
        if _version(self.identity(path)) != version:
            return False
        self.remove(path)
        return True


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    """Hold a folder's lock: who writes files shares it, who looks before a change has it alone."""
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Some network file systems have no locks on folders: there the last look has to do.
        with suppress(OSError):
            fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)


def _version(identity: FileIdentity | None) -> str | None:
    return None if identity is None else identity.version


def _local_identity(status: os.stat_result) -> FileIdentity:
    return FileIdentity(status.st_size, f"{status.st_ino}-{status.st_mtime_ns}")


def _identity(info: dict[str, Any]) -> FileIdentity:
    version = info.get("ETag") or info.get("LastModified") or info.get("created")
    return FileIdentity(int(info["size"]), str(version))


def _name(info: dict[str, Any]) -> str:
    name: str = info["name"].rstrip("/").rsplit("/", 1)[-1]
    return name
