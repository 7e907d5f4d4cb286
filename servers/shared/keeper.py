"""Keep a server for as long as a command uses it.

`python -m servers.shared.keeper FOLDER LOCK COMMAND...` runs the command, whose every process
inherits the open file LOCK, and ends it when no process holds `users.lock` any more, or on SIGTERM.
A server that somebody killed is begun again; one that ends by itself is not, since it refused.
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
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from servers.shared import locks

GRACE_SECONDS = 60.0
"""How long a server may take to write out what it has; then it ends without, and its next start
makes up for it from its log."""

_ENDED_BY_SIGNAL = 128
_LOOK_SECONDS = 0.1
_PAUSE_SECONDS = 0.5

_RECOVERY_SECONDS = 60.0
"""How long a server that was killed may refuse to start: first what it left has to end."""


def main(folder: str, lock: str, *command: str) -> int:
    """Run the server to its end and return its exit code."""
    stop = threading.Event()

    def told(_: int, __: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, told)
    server = _begun(command, int(lock))
    users = os.open(Path(folder) / locks.USERS, os.O_RDWR | os.O_CREAT, 0o600)
    threading.Thread(target=_until_unused, args=(users, stop), daemon=True).start()
    refusals_end = 0.0
    while not stop.wait(_LOOK_SECONDS):
        code = server.poll()
        if code is None:
            continue
        if code < 0:
            refusals_end = time.monotonic() + _RECOVERY_SECONDS
        elif time.monotonic() > refusals_end:
            break
        if not stop.wait(_PAUSE_SECONDS):
            print(f"The server ended with {code} and is restarted.", flush=True)  # noqa: T201 - its log
            server = _begun(command, int(lock))
    code = _ended(server)
    return code if code >= 0 else _ENDED_BY_SIGNAL - code


def _begun(command: Sequence[str], lock: int) -> subprocess.Popen[bytes]:
    # A session of its own, so that nothing it starts outlives it and nothing hits it alone.
    return subprocess.Popen(  # noqa: S603 - named by our own code, no shell
        command,
        stdin=subprocess.DEVNULL,
        pass_fds=[lock],
        start_new_session=True,
        # Python ignores SIGXFSZ: so does the server, which is told that a file is at its limit and
        # not ended for it.
        restore_signals=False,
    )


def _until_unused(users: int, stop: threading.Event) -> None:
    locks.wait_alone(users)
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
