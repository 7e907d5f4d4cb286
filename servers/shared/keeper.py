"""Keep a server for as long as a command uses it.

`python -m servers.shared.keeper FOLDER LOCK COMMAND...` runs the command, whose every process
inherits the open file LOCK, and ends it when no process holds `users.lock` any more, or on SIGTERM.
A pipe from the command that started the server, as other servers have it for a lifeline, would end
the server under those that joined later.

A server that is killed meanwhile, as a system does that runs out of memory, is started again: those
who use it need it, and whoever starts them anew would not find it. One that ends by itself has said
why, and is left so.

Standard library only: nothing here may slow a start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from types import FrameType

from servers.shared import locks

GRACE_SECONDS = 60.0
"""How long a server may take to write out what it has; then it ends without, and its next start
makes up for it from its log."""

SETTLED_SECONDS = 1.0
"""A server that is killed sooner than this after its start has not been of use to anybody."""

REVIVAL_SECONDS = 60.0
"""How long a killed server is tried again: what is left of it may have to end first."""

_REVIVAL_PAUSE = 0.25
_ENDED_BY_SIGNAL = 128


class Keeper:
    """A server's process, and the next one when that is killed.

    Args:
        command: What runs it.
        lock: The open file that its processes inherit.
    """

    def __init__(self, command: Sequence[str], lock: int) -> None:
        self._command = command
        self._lock = lock
        self._stopping = threading.Event()
        self._turned = threading.Event()
        self._killed_at = 0.0
        self._start()

    def stop(self) -> None:
        """Ask for the server's end."""
        self._stopping.set()
        self._turned.set()

    def run(self) -> int:
        """Return the exit code of the server that is not started again."""
        while True:
            self._turned.wait()
            self._turned.clear()
            if self._stopping.is_set():
                return _ended(self._server)
            code = self._server.poll()
            if code is None:
                continue
            if not self._is_to_revive(code) or self._stopping.wait(_REVIVAL_PAUSE):
                return code
            sys.stderr.write(f"The server ended with {code} and is started again.\n")
            sys.stderr.flush()
            self._start()

    def _start(self) -> None:
        # A session of its own, so that nothing it starts outlives it and nothing hits it alone.
        self._server = subprocess.Popen(  # noqa: S603 - named by our own code, no shell
            self._command, stdin=subprocess.DEVNULL, pass_fds=[self._lock], start_new_session=True
        )
        self._started_at = time.monotonic()
        after(self._server.wait, self._turned.set)

    def _is_to_revive(self, code: int) -> bool:
        now = time.monotonic()
        if code < 0 and now - self._started_at > SETTLED_SECONDS:
            self._killed_at = now
        return bool(self._killed_at) and now - self._killed_at < REVIVAL_SECONDS


def main(folder: str, lock: str, *command: str) -> int:
    """Run the server to its end and return its exit code."""
    keeper = Keeper(command, int(lock))

    def told(_: int, __: FrameType | None) -> None:
        keeper.stop()

    signal.signal(signal.SIGTERM, told)
    users = os.open(Path(folder) / locks.USERS, os.O_RDWR | os.O_CREAT, 0o600)
    after(partial(locks.wait_alone, users), keeper.stop)
    code = keeper.run()
    return code if code >= 0 else _ENDED_BY_SIGNAL - code


def after(wait: Callable[[], object], then: Callable[[], object]) -> None:
    """Do something when a wait is over, in a thread of its own."""

    def both() -> None:
        wait()
        then()

    threading.Thread(target=both, daemon=True).start()


def _ended(server: subprocess.Popen[bytes]) -> int:
    """End the server: its connections at once, without waiting for clients."""
    for number in (signal.SIGINT, signal.SIGQUIT):
        server.send_signal(number)
        try:
            return server.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    os.killpg(server.pid, signal.SIGKILL)
    return server.wait()


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
