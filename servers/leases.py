"""Which orchestrator runs the commands of this machine execute, and which of those have died.

A command that executes a run in its own process holds a lock on a file named after the run. The
kernel releases it however the process ends, so an unlocked file means a run that nobody executes
any more: no heartbeat to wait for, and no process number that another process may have by now.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Leases:
    """The locks of one server's runs.

    Attributes:
        folder: Where they are; made when missing.
        server: The server, as its URL without credentials.
    """

    folder: Path
    server: str

    @contextlib.contextmanager
    def held(self, flow_run_id: UUID) -> Iterator[None]:
        """Say for the time of the block, or of this process, that it executes the run.

        Where no file can be made the block runs all the same; nobody will know of its death.
        """
        try:
            path, lock = self._taken(flow_run_id)
        except OSError:
            yield
            return
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
            os.close(lock)

    @contextlib.contextmanager
    def lapsed(self) -> Iterator[list[UUID]]:
        """The runs of commands that have died; forgotten when the block ends without an error."""
        with contextlib.ExitStack() as locks:
            found = {path: lapsed for path in self._files() if (lapsed := _lapsed(path, locks))}
            mine = {path: run for path, (run, server) in found.items() if server == self.server}
            yield list(mine.values())
            for path in mine:
                path.unlink(missing_ok=True)

    def _taken(self, flow_run_id: UUID) -> tuple[Path, int]:
        """The file, which gets its name only when it is locked and complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{flow_run_id}.lease"
        fresh = path.with_suffix(f".{os.getpid()}.tmp")
        lock = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.write(lock, self.server.encode())
            fresh.replace(path)
        except BaseException:
            fresh.unlink(missing_ok=True)
            os.close(lock)
            raise
        return path, lock

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.lease"))


def _lapsed(path: Path, locks: contextlib.ExitStack) -> tuple[UUID, str] | None:
    """The run and the server of a lease that nobody holds; it stays locked by `locks`."""
    with contextlib.suppress(OSError, ValueError):
        lock = os.open(path, os.O_RDWR)
        locks.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return UUID(path.stem), os.pread(lock, 4096, 0).decode()
    return None
