"""Keep a server for as long as a command uses it.

`python -m servers.shared.keeper FOLDER LOCK COMMAND...` runs the command, whose every process
inherits the open file LOCK, and ends it when no process holds `users.lock` any more, or on SIGTERM.
A pipe from the command that started the server, as other servers have it for a lifeline, would end
the server under those that joined later.

Standard library only: nothing here may slow a start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

from servers.shared import locks

GRACE_SECONDS = 60.0
"""How long a server may take to write out what it has; then it ends without, and its next start
makes up for it from its log."""

_ENDED_BY_SIGNAL = 128


def main(folder: str, lock: str, *command: str) -> int:
    """Run the server to its end and return its exit code."""
    stop = threading.Event()

    def told(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    # A session of its own, so that nothing it starts outlives it and nothing hits it alone.
    server = subprocess.Popen(  # noqa: S603 - named by our own code, no shell
        command, stdin=subprocess.DEVNULL, pass_fds=[int(lock)], start_new_session=True
    )
    users = os.open(Path(folder) / locks.USERS, os.O_RDWR | os.O_CREAT, 0o600)
    watches: tuple[Callable[[], object], ...] = (partial(locks.wait_alone, users), server.wait)
    for watch in watches:
        threading.Thread(target=_then, args=(watch, stop), daemon=True).start()
    stop.wait()
    code = _ended(server)
    return code if code >= 0 else _ENDED_BY_SIGNAL - code


def _then(watch: Callable[[], object], stop: threading.Event) -> None:
    watch()
    stop.set()


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
