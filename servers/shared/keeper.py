"""Keep a server for as long as a command uses it.

`python -m servers.shared.keeper FOLDER LOCK COMMAND...` runs the command, whose every process
inherits the open file LOCK, and ends it when no process holds `users.lock` any more, or on SIGTERM.
A server that somebody killed is begun again; one that ends by itself is not, since it refused. One
that dies each time right after its start is begun again with growing pauses, and a file in the
folder says so for as long as it lasts.
A pipe from the command that started the server, as other servers have it for a lifeline, would end
the server under those that joined later.

Standard library only: nothing here may slow a start.
"""

from __future__ import annotations

import contextlib
import json
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
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0

_STEADY_SECONDS = 10.0
"""After so long the next death is a first one again."""

AT_ONCE = 3
"""So many deaths in a row, each right after a start, are no accident."""

RESTARTED = "The server ended with"
"""How a line of the keeper's own begins in the server's log."""

CRASHES = "crashes.json"
"""The file that says so, with `since` in seconds since 1970 and `count`."""

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
    deaths = Deaths(Path(folder) / CRASHES)
    refusals_end = 0.0
    while not stop.wait(_LOOK_SECONDS):
        code = server.poll()
        if code is None:
            deaths.forget_when_steady()
            continue
        pause = _FIRST_PAUSE
        if code < 0:
            pause = deaths.another()
            refusals_end = time.monotonic() + pause + _RECOVERY_SECONDS
        elif time.monotonic() > refusals_end:
            break
        print(f"{RESTARTED} {code} and is restarted in {pause:g} s.", flush=True)  # noqa: T201 - its log
        if not stop.wait(pause):
            deaths.begun_at = time.monotonic()
            server = _begun(command, int(lock))
    code = _ended(server)
    deaths.forget()
    return code if code >= 0 else _ENDED_BY_SIGNAL - code


class Deaths:
    """The deaths of a server in a row, each right after a start.

    Args:
        file: Says so when they are too many to be an accident.
    """

    def __init__(self, file: Path) -> None:
        self.begun_at = time.monotonic()
        self._file = file
        self._since, self._count = 0.0, 0
        self.forget()

    def another(self) -> float:
        """Count one more; how long to wait before the next start."""
        self.forget_when_steady()
        self._since = self._since or time.time()
        self._count += 1
        if self._count >= AT_ONCE:
            with contextlib.suppress(OSError):
                said = json.dumps({"since": self._since, "count": self._count})
                self._file.write_text(said, encoding="utf-8")
        return float(min(_FIRST_PAUSE * 2 ** (self._count - 1), _LONGEST_PAUSE))

    def forget_when_steady(self) -> None:
        """Begin to count anew when the server has lived for long enough."""
        if self._count and time.monotonic() - self.begun_at > _STEADY_SECONDS:
            self.forget()

    def forget(self) -> None:
        """Begin to count anew."""
        self._since, self._count = 0.0, 0
        with contextlib.suppress(OSError):
            self._file.unlink(missing_ok=True)


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
