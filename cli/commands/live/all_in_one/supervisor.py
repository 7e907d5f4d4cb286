"""Keep processes running: begun again when they die, ended together."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli.commands.live.all_in_one.processes import LiveProcess
from live.logs import masked
from servers.errors import USAGE, CommandError
from servers.process import log_tail, start_child, stop_child
from trading.operations.crashes import AT_ONCE, Crashes

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
_HEALTHY_SECONDS = 20.0
"""After so long the next death is a first one again."""

_MOST_SAID = 300
"""How much of a process's last line is told."""


class Supervised:
    """One process with its restarts.

    Args:
        process: What to run.
        folder: Where its log is.
        environment: Its whole environment.
    """

    def __init__(self, process: LiveProcess, folder: Path, environment: Mapping[str, str]) -> None:
        self.process = process
        self.log = folder / f"{process.name}.out"
        self.restarts = 0
        self.ended = False
        self.refusal = ""
        self._environment = {**environment, **process.environment}
        self._pause = _FIRST_PAUSE
        self._begin_at = 0.0
        self._in_a_row = 0
        self._first_of_them = datetime.now(UTC)
        self._said = ""
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
            if self._is_healthy():
                self._in_a_row = 0
            return
        self.stop()
        if code == 0 and self.process.may_end:
            self.ended = True
        elif code == USAGE:
            last = log_tail(self.log, 1).strip()
            self.refusal = f"The process {self.process.name} cannot run: {last}"
            if not self.process.may_refuse:
                raise CommandError(self.refusal, USAGE)
            self.ended = True
        else:
            self._wait_before_restart()

    @property
    def crashes(self) -> Crashes | None:
        """Its crashes in a row, once they are too many to be an accident."""
        if self.ended or self._in_a_row < AT_ONCE:
            return None
        return Crashes(self.process.name, self._first_of_them, self._in_a_row, self._said)

    @property
    def pid(self) -> int | None:
        """The process that it is now; None while it waits to be begun again."""
        return None if self._child is None else self._child.pid

    def ask_to_stop(self) -> None:
        """Tell it to end, without waiting until it has."""
        if self._child is not None:
            with contextlib.suppress(ProcessLookupError):
                self._child.terminate()

    def stop(self) -> None:
        """End it; safe to call twice."""
        if self._child is not None:
            stop_child(self._child)
            self._child = None

    def _wait_before_restart(self) -> None:
        if self._is_healthy():
            self._pause, self._in_a_row = _FIRST_PAUSE, 0
        if not self._in_a_row:
            self._first_of_them = datetime.now(UTC)
        self.restarts += 1
        self._in_a_row += 1
        self._said = masked(log_tail(self.log, 1).strip())[:_MOST_SAID]
        self._begin_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def _is_healthy(self) -> bool:
        return time.monotonic() - self._started_at > _HEALTHY_SECONDS

    def _start(self, *, append: bool) -> None:
        self._started_at = time.monotonic()
        self._child = start_child(
            "cli", self.process.arguments, log=self.log, env=self._environment, append=append
        )


class Supervisor:
    """All processes of one command.

    Args:
        folder: Where their logs are.
        environment: Their whole environment, beside what each has of its own.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self.processes: list[Supervised] = []

    def start(self, processes: Sequence[LiveProcess]) -> None:
        """Start some more."""
        for process in processes:
            self.processes.append(Supervised(process, self._folder, self._environment))

    def look(self) -> None:
        """Begin again what has died.

        Raises:
            CommandError: One refuses what it was asked for.
        """
        for process in self.processes:
            process.look()

    def stop(self) -> None:
        """End all of them: told at once, each has the same time to end."""
        for process in reversed(self.processes):
            process.ask_to_stop()
        for process in reversed(self.processes):
            process.stop()

    @property
    def errors(self) -> list[str]:
        """What went wrong with them, a sentence each."""
        refused = [one.refusal for one in self.processes if one.refusal]
        return refused + [
            f"{one.process.name} was restarted {_times(one.restarts)}, see {one.log}"
            for one in self.processes
            if one.restarts and one.crashes is None
        ] + [sentence for _, sentence in self.down]  # fmt: skip

    @property
    def down(self) -> list[tuple[Crashes, str]]:
        """What crashes again and again, each with the sentence that people are told."""
        now = datetime.now(UTC)
        return [
            (crashes, f"{crashes.sentence(now)}; see {one.log}")
            for one in self.processes
            if (crashes := one.crashes) is not None
        ]


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


@contextlib.contextmanager
def supervised(
    processes: Sequence[LiveProcess], folder: Path, environment: Mapping[str, str]
) -> Iterator[Supervisor]:
    """Start processes, and end all that there are by then when the block ends.

    Args:
        processes: What to run first.
        folder: Where their logs are.
        environment: Their whole environment, beside what each has of its own.
    """
    supervisor = Supervisor(folder, environment)
    try:
        supervisor.start(processes)
        yield supervisor
    finally:
        supervisor.stop()
