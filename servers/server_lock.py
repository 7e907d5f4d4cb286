"""The lock on a server's folder: two servers never share one's data.

The server inherits it, so it is held for as long as either the server lives or the command that
started it. A second lock, which nobody inherits, tells whether that command lives: if not, the
server is about to end.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

import typer

ENDING_SECONDS = 30.0
"""How long a server may take to end after its command was killed; see `servers.lifeline`."""

_POLL_SECONDS = 0.1


@contextlib.contextmanager
def server_lock(file: Path) -> Iterator[int]:
    """The lock, as an open file descriptor; the file is empty at first.

    Waits for a server whose command was killed, and says so.

    Args:
        file: The lock's file in the server's folder, which must be there.

    Raises:
        BlockingIOError: A command that lives has it.
        OSError: The file cannot be made.
    """
    with contextlib.ExitStack() as opened:
        server = _opened(file, opened)
        command = _opened(file.with_suffix(".command.lock"), opened)
        _take(server, command)
        yield server


def _opened(file: Path, opened: contextlib.ExitStack) -> int:
    lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    opened.callback(os.close, lock)
    return lock


def _take(server: int, command: int) -> None:
    deadline = time.monotonic() + ENDING_SECONDS
    said = False
    while not _is_free(server):
        if time.monotonic() > deadline or not _is_free(command):
            raise BlockingIOError
        # Whoever has just got the server's takes it next.
        fcntl.flock(command, fcntl.LOCK_UN)
        if not said:
            typer.echo("Waiting for the server of a command that was killed to end.", err=True)
            said = True
        time.sleep(_POLL_SECONDS)
    os.ftruncate(server, 0)  # what the last one wrote of itself
    fcntl.flock(command, fcntl.LOCK_EX)


def _is_free(lock: int) -> bool:
    """Take the lock if nobody has it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
