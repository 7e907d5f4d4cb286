"""Keep processes running: begun again when they die, ended together."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cli.commands.live.processes import LiveProcess
from servers.errors import USAGE, CommandError
from servers.process import log_tail, start_child, stop_child

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_HEALTHY_SECONDS = 60.0
"""After so long the next death is a first one again."""


class Supervised:
    """One process with its restarts.

    Args:
        process: What to run.
        folder: Where its log is.
        environment: Its whole environment.
    """

    def __init__(self, process: LiveProcess, folder: Path, environment: Mapping[str, str]) -> None:
        self.process = process
        self.log = folder / f"live-{process.name}.log"
        self.restarts = 0
        self.ended = False
        self._environment = environment
        self._pause = _FIRST_PAUSE
        self._begin_at = 0.0
        self._child: subprocess.Popen[bytes] | None = None
        self._start(append=False)

    def look(self) -> None:
        """Begin it again if it died; call it often.

        Raises:
            CommandError: It refused what it was asked for, which will be the same next time.
        """
        if self.ended:
            return
        if self._child is None:
            if time.monotonic() >= self._begin_at:
                self._start(append=True)
            return
        code = self._child.poll()
        if code is None:
            return
        self.stop()
        if code == 0 and self.process.may_end:
            self.ended = True
        elif code == USAGE:
            last = log_tail(self.log, 1).strip()
            raise CommandError(f"The process {self.process.name} cannot run: {last}", USAGE)
        else:
            self._wait_before_restart()

    def stop(self) -> None:
        """End it; safe to call twice."""
        if self._child is not None:
            stop_child(self._child)
            self._child = None

    def _wait_before_restart(self) -> None:
        now = time.monotonic()
        if now - self._started_at > _HEALTHY_SECONDS:
            self._pause = _FIRST_PAUSE
        self.restarts += 1
        self._begin_at = now + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _start(self, *, append: bool) -> None:
        self._started_at = time.monotonic()
        self._child = start_child(
            "cli", self.process.arguments, log=self.log, env=self._environment, append=append
        )


@contextlib.contextmanager
def supervised(
    processes: Sequence[LiveProcess], folder: Path, environment: Mapping[str, str]
) -> Iterator[list[Supervised]]:
    """Start processes, and end them, the last one first, when the block ends.

    Args:
        processes: What to run.
        folder: Where their logs are.
        environment: Their whole environment.
    """
    with contextlib.ExitStack() as running:
        started = []
        for process in processes:
            one = Supervised(process, folder, environment)
            running.callback(one.stop)
            started.append(one)
        yield started
