"""The locks of a server's folder, with which commands share one server and none is left behind.

The kernel releases them however a process ends, SIGKILL included.

| file | who holds it |
| --- | --- |
| `start.lock` | who starts the server or joins it, for so long |
| `users.lock` | shared: each command that uses the server; alone: the keeper that is ending it |
| `keeper.lock` | the keeper, which started the server and ends it after its last user |
| `server.lock` | every process of the server |
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

START, USERS, KEEPER, SERVER = "start.lock", "users.lock", "keeper.lock", "server.lock"


@contextlib.contextmanager
def opened(folder: Path, name: str) -> Iterator[int]:
    """A lock file, not locked yet, as a file descriptor."""
    lock = os.open(folder / name, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield lock
    finally:
        os.close(lock)


def take_alone(lock: int) -> bool:
    """Lock it for this descriptor alone, if nobody else has it now."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_alone(lock: int) -> None:
    """Lock it for this descriptor alone, as soon as nobody else has it."""
    fcntl.flock(lock, fcntl.LOCK_EX)


def wait_shared(lock: int) -> None:
    """Lock it together with others, as soon as nobody has it alone."""
    fcntl.flock(lock, fcntl.LOCK_SH)


def is_held(folder: Path, name: str) -> bool:
    """Whether somebody has the lock."""
    with opened(folder, name) as lock:
        return not take_alone(lock)
