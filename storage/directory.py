"""The edge to files and objects: one directory, local or remote, that is read and written whole.

Every other module takes a `Directory` and relative names; what a URL means is decided in
`open_directory` alone. A reader sees a whole file or none, and of two writers one wins: see
`storage.backends` and `storage.s3` for how. Transient failures are retried with backoff and jitter.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar, cast

import fsspec
import stamina
from fsspec.implementations.local import LocalFileSystem

from storage.backends import FileIdentity, FsspecStore, LocalStore, Store
from storage.errors import MAX_SHOWN, LocationError, StorageError
from storage.faults import translated, without_credentials
from storage.location import checked_location
from storage.range_reader import ObjectReader
from storage.retries import log_retry  # noqa: F401 - says what the retries below wait for
from storage.s3 import PROTOCOLS, S3Store, s3_store

T = TypeVar("T")

MAX_READERS = 8
"""Files read at the same time when many are asked for: more do not help a disk or one host."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory or prefix in which files are named relative to it, with `/` between parts.

    Attributes:
        url: Where it is, absolute and without credentials; fit for messages.
        path: The same as its filesystem names it.
        filesystem: The fsspec filesystem that holds it.
        store: How its files are reached.
        fail_fast: Whether an outage is reported at once instead of waited for: for the first look
            at a location, which more often is mistyped than about to come back.
        parameter: The user's name for it, e.g. `output_dir`, to tell what to correct.
        location: As it was named, by which another process opens the same: `url` may lack the host.
    """

    url: str
    path: str
    filesystem: Any
    store: Store = field(init=False, repr=False, compare=False)
    fail_fast: bool = field(default=False, compare=False)
    parameter: str = field(default="directory", compare=False)
    location: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.location:
            object.__setattr__(self, "location", self.url)
        object.__setattr__(self, "store", _store_of(self.filesystem))

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine, so that plain file calls reach it."""
        return isinstance(self.store, LocalStore)

    def url_of(self, name: str) -> str:
        """The file's URL, for messages and summaries."""
        return f"{self.url}/{_checked_name(name)}"

    def identity(self, name: str) -> FileIdentity | None:
        """Size and version of the file now, or None when there is none.

        Raises:
            StorageError: The place cannot be asked.
        """
        return self._call(name, "looked up", self.store.identity)

    def is_settled(self, identity: FileIdentity) -> bool:
        """Whether what is read of a file from now on is all that will ever have this identity.

        To be asked before the file is read, by those who keep what they read by its identity.
        """
        return self.store.is_settled(identity)

    def identities(self, names: Iterable[str]) -> dict[str, FileIdentity | None]:
        """`identity` of several files directly in the directory: of remote ones in one request.

        Raises:
            StorageError: The place cannot be asked.
        """
        if not self.store.knows_versions:
            return {name: self.identity(name) for name in names}
        present = self._call("", "listed", self.store.list).files
        return {name: present.get(name) for name in names}

    def open(self, name: str, identity: FileIdentity | None = None) -> IO[bytes]:
        """Open the file for reading at any position; every read of a remote one is one request.

        Args:
            name: The file.
            identity: The version to read, as a store of objects then makes sure; one request less.

        Raises:
            StorageError: It is missing or cannot be opened.
        """
        if self.is_local:
            return self._call(name, "read", lambda path: Path(path).open("rb"))
        known = identity or self.identity(name)
        if known is None:
            url, problem = self.url_of(name), "it cannot be read: it does not exist"
            raise StorageError(url, problem, f"check that it exists, or correct {self.parameter}")
        reader = ObjectReader(known.size, lambda a, b: self._read_range(name, a, b, known.version))
        return cast("IO[bytes]", reader)

    def read_bytes(self, name: str) -> bytes:
        """The whole content of the file.

        Raises:
            StorageError: It is missing or cannot be read.
        """
        return self._call(name, "read", self.store.read)

    def read_tail(self, name: str, size: int) -> bytes:
        """The last `size` bytes of the file, or all of a shorter one.

        Raises:
            StorageError: It is missing or cannot be read.
        """
        return self._call(name, "read", lambda path: self.store.read_tail(path, size))

    def write_bytes(self, name: str, content: bytes | memoryview) -> None:
        """Write the file whole or not at all, with the folders above it.

        Raises:
            StorageError: It cannot be written; what was there before is still there.
        """
        self._check_inside(name)
        self._call(name, "written", lambda path: self.store.write(path, content))

    def remove(self, name: str) -> None:
        """Remove the file.

        Raises:
            StorageError: It cannot be removed; where the place notices, also for a missing one.
        """
        self._check_inside(name)
        self._call(name, "removed", self.store.remove)

    def write_over(self, name: str, content: bytes | memoryview, seen: FileIdentity | None) -> bool:
        """Write the file whole, unless another process has written it since it was seen.

        Args:
            name: The file.
            content: All of it.
            seen: What it was when it was looked at; None when there was none.

        Returns:
            Whether it was written; when not, what another process wrote is there.

        Raises:
            StorageError: It cannot be written.
        """
        self._check_inside(name)
        version = None if seen is None else seen.version
        return self._call(name, "written", lambda p: self.store.write_over(p, content, version))

    def remove_seen(self, name: str, seen: FileIdentity) -> bool:
        """Remove the file, unless another process has written or removed it since it was seen.

        Args:
            name: The file.
            seen: What it was when it was looked at.

        Returns:
            Whether this call removed it.

        Raises:
            StorageError: It cannot be removed.
        """
        self._check_inside(name)
        return self._call(
            name, "removed", lambda path: self.store.remove_version(path, seen.version)
        )

    def list_files(self, folder: str) -> dict[str, FileIdentity]:
        """The files directly in `folder`, by name in order; hidden ones and folders left out.

        Raises:
            StorageError: The folder cannot be listed. A missing one has no files.
        """
        files = self._call(folder, "listed", self.store.list).files
        return {name: files[name] for name in _shown(files)}

    def remove_leftovers(self, folder: str) -> None:
        """Remove what writers that were killed have left in `folder`; objects leave nothing.

        Raises:
            StorageError: The folder cannot be listed.
        """
        if isinstance(self.store, LocalStore):
            self._call(folder, "listed", self.store.remove_leftovers)

    def list_folders(self, folder: str = "") -> list[str]:
        """Names of the folders directly in `folder`, sorted; hidden ones left out.

        Args:
            folder: Relative to the directory, which is the default itself.

        Raises:
            StorageError: The folder cannot be listed. A missing one has no folders.
        """
        return _shown(self._call(folder, "listed", self.store.list).folders)

    def map(self, function: Callable[[str], T], names: list[str]) -> list[T]:
        """`function` of every name, in order.

        Some at the same time where each one waits for a remote store; what a local file takes is
        this process's work, which threads would only divide.
        """
        if self.is_local or len(names) < MAX_READERS:
            return [function(name) for name in names]
        with ThreadPoolExecutor(MAX_READERS) as pool:
            return list(pool.map(function, names))

    def _read_range(self, name: str, start: int, end: int, version: str) -> bytes:
        read = self.store.read_range
        return self._call(name, "read", lambda path: read(path, start, end, version))

    def exists(self, folder: str = "") -> bool:
        """Whether there is such a folder, or anything below the prefix.

        Args:
            folder: Relative to the directory, which is the default itself.

        Raises:
            StorageError: The place cannot be asked.
        """
        return self._call(folder, "read", self.store.exists)

    def _check_inside(self, name: str) -> None:
        """Make sure that no link below the directory leads what is written out of it."""
        if not self.is_local:
            return
        folder = _checked_name(name).rpartition("/")[0]
        while folder:
            path = f"{self.path}/{folder}"
            if os.path.islink(path):  # noqa: PTH114 - asked for every partition; Path costs double
                root = Path(self.path).resolve()
                if not Path(path).resolve().is_relative_to(root):
                    problem = "it is a link that leads out of the directory"
                    raise StorageError(path, problem, "remove the link, or pass where it leads to")
            folder = folder.rpartition("/")[0]

    def _call(self, name: str, done: str, operation: Callable[[str], T]) -> T:
        path = f"{self.path}/{_checked_name(name)}" if name else self.path

        def attempt() -> T:
            try:
                return operation(path)
            except Exception as error:
                url = f"{self.url}/{name}" if name else self.url
                ours = translated(error, url, done, self.parameter)
                if ours is None:
                    raise
                raise ours from error

        if not isinstance(self.store, S3Store):
            return (_FAIL_FAST if self.fail_fast else _RETRYING)(attempt)
        # Who has waited in vain for a store is not to wait as long again for each of the rest.
        retrying = _FAIL_FAST if self.fail_fast or self.store.is_down else _PATIENT
        try:
            answer = retrying(attempt)
        except StorageError as error:
            self.store.is_down = error.transient
            raise
        self.store.is_down = False
        return answer


def open_directory(url: str, parameter: str) -> Directory:
    """The directory that `url` names; nothing is read or made yet.

    Args:
        url: A local path, absolute or relative, `~` and `file://` included, or any fsspec URL,
            e.g. `s3://bucket/prefix`.
        parameter: The user's name for it, e.g. `input_dir`, for error messages.

    Raises:
        LocationError: It is not a URL that fsspec can open here.
    """
    checked_location(url, parameter)
    try:
        if url.partition("://")[0] in PROTOCOLS:
            return _s3_directory(url, parameter)
        filesystem, path = fsspec.url_to_fs(url)
    except (ValueError, ImportError, TypeError, AttributeError, OSError) as error:
        reason = " ".join(str(error).split())[:MAX_SHOWN] or type(error).__name__
        raise LocationError(
            parameter,
            url,
            "a location that can be opened here",
            f"pass a local path or s3://bucket/prefix ({reason.rstrip('.')})",
        ) from error
    if isinstance(filesystem, LocalFileSystem):
        absolute = os.path.abspath(path)  # noqa: PTH100 - Path.resolve would follow links
        return Directory(absolute, absolute, filesystem, parameter=parameter, location=url)
    path = path.rstrip("/")
    shown = without_credentials(filesystem.unstrip_protocol(path))
    return Directory(shown, path, filesystem, parameter=parameter, location=url)


def _s3_directory(url: str, parameter: str) -> Directory:
    path = url.partition("://")[2].rstrip("/")
    bucket, *prefix = path.split("/")
    # Some stores keep objects as files, where `..` leads out of the bucket.
    odd = any(part in ("", ".", "..") for part in prefix)
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,62}", bucket) or odd:
        raise LocationError(
            parameter,
            url,
            "an S3 location",
            "pass s3://bucket/prefix, the bucket's name in small letters",
        )
    filesystem = s3_store().filesystem
    return Directory(f"s3://{path}", path, filesystem, parameter=parameter, location=url)


def _store_of(filesystem: Any) -> Store:  # noqa: ANN401 - fsspec has no types
    if isinstance(filesystem, LocalFileSystem):
        return LocalStore()
    if "s3" in filesystem.protocol:
        return s3_store()
    return FsspecStore(filesystem)


def _shown(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if name and not name.startswith("."))


def _checked_name(name: str) -> str:
    """`name` when it stays below its directory; names come from our own code, so assert it."""
    if any(part in ("", ".", "..") for part in name.split("/")) or re.search(r"[\\\0]", name):
        raise ValueError(f"{name!r} is not a relative file name")
    return name


def _is_transient(error: Exception) -> bool:
    return isinstance(error, StorageError) and error.transient


_FAIL_FAST = stamina.RetryingCaller(attempts=3, timeout=10.0, wait_initial=0.1, wait_max=1.0).on(
    _is_transient
)
_RETRYING = stamina.RetryingCaller(attempts=5, timeout=60.0, wait_initial=0.1, wait_max=5.0).on(
    _is_transient
)
_PATIENT = stamina.RetryingCaller(attempts=30, timeout=60.0, wait_initial=0.2, wait_max=5.0).on(
    _is_transient
)
"""Of a remote store: a restart or a network's hiccup of half a minute is waited for."""
