"""The edge to files and objects: one directory, local or remote, that is read and written whole.

Every other module takes a `Directory` and relative names; what a URL means is decided in
`open_directory` alone. Local files are written under a hidden temporary name in the same folder,
synced and renamed; anywhere else one PUT does the same. Either way a reader sees a whole file or
none, and of two writers one wins. Transient failures are retried with backoff and jitter.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

import fsspec
import stamina
from fsspec.implementations.local import LocalFileSystem

from trading.errors import ParameterError, StorageError

T = TypeVar("T")

MAX_READERS = 8
"""Files read at the same time when many are asked for: more do not help a disk or one host."""

_TRANSIENT_ERRNOS = frozenset(
    {
        errno.EAGAIN, errno.EBUSY, errno.ECONNABORTED, errno.ECONNREFUSED, errno.ECONNRESET,
        errno.EHOSTUNREACH, errno.EINTR, errno.EMFILE, errno.ENETDOWN, errno.ENETUNREACH,
        errno.ENFILE, errno.EPIPE, errno.ESTALE, errno.ETIMEDOUT,
    }
)  # fmt: skip
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR})


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
class Directory:
    """A directory or prefix in which files are named relative to it, with `/` between parts.

    Attributes:
        url: Where it is, absolute and without credentials; fit for messages.
        path: The same as its filesystem names it.
        filesystem: The fsspec filesystem that holds it.
    """

    url: str
    path: str
    filesystem: Any

    @property
    def is_local(self) -> bool:
        """Whether it lies on this machine, so that plain file calls reach it."""
        return isinstance(self.filesystem, LocalFileSystem)

    def url_of(self, name: str) -> str:
        """The file's URL, for messages and summaries."""
        return f"{self.url}/{_checked_name(name)}"

    def identity(self, name: str) -> FileIdentity | None:
        """Size and version of the file now, or None when there is none.

        Raises:
            StorageError: The place cannot be asked.
        """
        return self._call(name, "looked up", self._identity)

    def open(self, name: str) -> IO[bytes]:
        """Open the file for reading at any position; every read of a remote one is one request.

        Raises:
            StorageError: It is missing or cannot be opened.
        """
        return self._call(name, "read", self._open)

    def read_bytes(self, name: str) -> bytes:
        """The whole content of the file.

        Raises:
            StorageError: It is missing or cannot be read.
        """
        return self._call(name, "read", lambda path: _content(self._open(path)))

    def read_tail(self, name: str, size: int) -> bytes:
        """The last `size` bytes of the file, or all of a shorter one.

        Raises:
            StorageError: It is missing or cannot be read.
        """
        return self._call(name, "read", lambda path: self._read_tail(path, size))

    def write_bytes(self, name: str, content: bytes | memoryview) -> None:
        """Write the file whole or not at all, with the folders above it.

        Raises:
            StorageError: It cannot be written; what was there before is still there.
        """
        write = _write_local if self.is_local else self._write_remote
        self._call(name, "written", lambda path: write(path, content))

    def list_files(self, folder: str) -> list[str]:
        """Names of the files directly in `folder`, sorted; hidden ones and folders left out.

        Raises:
            StorageError: The folder cannot be listed. A missing one is an empty list.
        """
        return self._call(folder, "listed", lambda path: self._list(path, "file"))

    def list_folders(self) -> list[str]:
        """Names of the folders directly in the directory, sorted; hidden ones left out.

        Raises:
            StorageError: The directory cannot be listed. A missing one is an empty list.
        """
        return self._call("", "listed", lambda path: self._list(path, "directory"))

    def map(self, function: Callable[[str], T], names: list[str]) -> list[T]:
        """`function` of every name, in order; some at the same time, since each one waits."""
        if len(names) < MAX_READERS:
            return [function(name) for name in names]
        with ThreadPoolExecutor(MAX_READERS) as pool:
            return list(pool.map(function, names))

    def _call(self, name: str, done: str, operation: Callable[[str], T]) -> T:
        path = f"{self.path}/{_checked_name(name)}" if name else self.path

        def attempt() -> T:
            try:
                return operation(path)
            except Exception as error:
                translated = _translated(error, f"{self.url}/{name}" if name else self.url, done)
                if translated is None:
                    raise
                raise translated from error

        return _RETRYING(attempt)

    def _identity(self, path: str) -> FileIdentity | None:
        try:
            if self.is_local:
                status = os.stat(path)  # noqa: PTH116 - asked for every partition; Path costs double
                version = f"{status.st_ino}-{status.st_mtime_ns}"
                return FileIdentity(status.st_size, version)
            self.filesystem.invalidate_cache(path)
            info = self.filesystem.info(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        version = info.get("ETag") or info.get("LastModified") or info.get("created")
        return FileIdentity(int(info["size"]), str(version))

    def _open(self, path: str) -> IO[bytes]:
        if self.is_local:
            return Path(path).open("rb")
        # Readers of Parquet ask for exact ranges: reading ahead would fetch what nobody wants.
        remote: IO[bytes] = self.filesystem.open(path, "rb", cache_type="none")
        return remote

    def _read_tail(self, path: str, size: int) -> bytes:
        with self._open(path) as file:
            length = file.seek(0, os.SEEK_END)
            file.seek(max(0, length - size))
            return file.read()

    def _list(self, path: str, kind: str) -> list[str]:
        try:
            if self.is_local:
                with os.scandir(path) as entries:
                    names = [e.name for e in entries if e.is_dir() == (kind == "directory")]
            else:
                self.filesystem.invalidate_cache(path)
                entries = self.filesystem.ls(path, detail=True)
                names = [e["name"].rsplit("/", 1)[-1] for e in entries if e["type"] == kind]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if name and not name.startswith("."))

    def _write_remote(self, path: str, content: bytes | memoryview) -> None:
        self.filesystem.pipe_file(path, bytes(content))


def open_directory(url: str, parameter: str) -> Directory:
    """The directory that `url` names; nothing is read or made yet.

    Args:
        url: A local path, absolute or relative, `~` and `file://` included, or any fsspec URL,
            e.g. `s3://bucket/prefix`.
        parameter: The user's name for it, e.g. `input_dir`, for error messages.

    Raises:
        ParameterError: It is not a URL that fsspec can open here.
    """
    if not isinstance(url, str) or not url.strip() or "\0" in url:
        raise ParameterError(parameter, url, "a local path or URL", "pass e.g. 'input'")
    try:
        filesystem, path = fsspec.url_to_fs(url)
    except (ValueError, ImportError, TypeError) as error:
        raise ParameterError(
            parameter,
            without_credentials(url),
            "a location that can be opened here",
            f"pass a local path or s3://bucket/prefix ({str(error).splitlines()[0]})",
        ) from error
    if isinstance(filesystem, LocalFileSystem):
        absolute = os.path.abspath(path)  # noqa: PTH100 - Path.resolve would follow links
        return Directory(absolute, absolute, filesystem)
    path = path.rstrip("/")
    return Directory(without_credentials(filesystem.unstrip_protocol(path)), path, filesystem)


def check_readable(directory: Directory, parameter: str) -> None:
    """Make sure that the directory is there and can be listed, before work depends on it.

    Raises:
        ParameterError: It is not there.
        StorageError: It cannot be listed.
    """
    present = directory._call("", "read", directory.filesystem.exists)  # noqa: SLF001 - same module
    if not present:
        raise ParameterError(
            parameter,
            directory.url,
            "an existing directory",
            "check the spelling, or make sample data with python input/generate_hourly_data.py",
        )
    directory.list_files("")


def check_writable(directory: Directory, parameter: str) -> None:
    """Make sure that files can be written, by writing a hidden one and removing it.

    Raises:
        ParameterError: They cannot; the message says why.
        StorageError: The place failed in a way that may pass.
    """
    name = f".probe-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        directory.write_bytes(name, b"")
        directory._call(name, "removed", directory.filesystem.rm_file)  # noqa: SLF001 - same module
    except StorageError as error:
        if error.transient:
            raise
        raise ParameterError(
            parameter,
            directory.url,
            "a directory that can be written to",
            f"choose another one, or allow writing to it ({error.problem})",
        ) from error


def without_credentials(url: str) -> str:
    """`url` without user, password and query, which may hold a secret."""
    return re.sub(r"(?<=://)[^/@]*@", "", url).split("?", 1)[0]


def _checked_name(name: str) -> str:
    """`name` when it stays below its directory; names come from our own code, so assert it."""
    if any(part in ("", ".", "..") for part in name.split("/")) or re.search(r"[\\\0]", name):
        raise ValueError(f"{name!r} is not a relative file name")
    return name


def _content(file: IO[bytes]) -> bytes:
    with file:
        return file.read()


def _write_local(path: str, content: bytes | memoryview) -> None:
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _translated(error: Exception, url: str, done: str) -> StorageError | None:
    """What a filesystem raised as an error of ours; None for what is no fault of storage."""
    if isinstance(error, OSError):
        return _translated_os_error(error, url, done)
    # Object stores' clients raise their own classes for what happens before a reply arrives.
    if type(error).__module__.partition(".")[0] in ("botocore", "aiobotocore", "aiohttp"):
        transient = re.search("Timeout|Connect|Closed|Incomplete", type(error).__name__)
        return _failed(url, done, str(error), transient=transient is not None)
    return None


def _translated_os_error(error: OSError, url: str, done: str) -> StorageError:
    code, reason = error.errno, error.strerror or str(error) or type(error).__name__
    if code in _FULL:
        return StorageError(
            url, "no space is left there", "free some, or choose another directory, and run again"
        )
    if code in _FORBIDDEN or isinstance(error, PermissionError):
        problem = f"it cannot be {done}: {reason}"
        return StorageError(url, problem, "allow it there, or choose another directory")
    if code in _NOT_THERE or isinstance(error, FileNotFoundError):
        return StorageError(url, f"it cannot be {done}: {reason}", "check that it exists")
    transient = code in _TRANSIENT_ERRNOS or isinstance(error, TimeoutError | ConnectionError)
    return _failed(url, done, reason, transient=transient)


def _failed(url: str, done: str, reason: str, *, transient: bool) -> StorageError:
    sentence = " ".join(without_credentials(reason).split()).rstrip(".")
    next_step = "run again, it may pass" if transient else "check the location and its settings"
    return StorageError(url, f"it cannot be {done}: {sentence}", next_step, transient=transient)


def _is_transient(error: Exception) -> bool:
    return isinstance(error, StorageError) and error.transient


_RETRYING = stamina.RetryingCaller(attempts=5, timeout=60.0, wait_initial=0.1, wait_max=5.0).on(
    _is_transient
)
