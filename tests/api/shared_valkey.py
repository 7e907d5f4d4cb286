"""A real Valkey that tests of the API kill and start again."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil

from servers.valkey import ValkeyServer, local_valkey
from tests.waiting import wait_until


@contextlib.contextmanager
def killed_at_the_end(folder: Path) -> Iterator[ValkeyServer]:
    """A server on the data in a folder; it dies with the block as by the system's hand."""
    with local_valkey(folder) as server:
        try:
            yield server
        finally:
            pid = int((folder / "valkey.pid").read_text())
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not psutil.pid_exists(pid), "the killed server is gone")
