"""A process worker: executes the flow runs of a work pool in processes on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from servers.errors import CommandError
from servers.process import log_tail, start_child, stop_child

WORKER_SETTINGS = {
    # Ten seconds, the default, is most of what a short run takes on a laptop.
    "PREFECT_WORKER_QUERY_SECONDS": "2",
}
"""Defaults of the local worker, which the user's own environment overrides."""

PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds before a worker that ended by itself is started again; after the last it is given up."""

STEADY_SECONDS = 120.0
"""A worker that has lived so long had a good start: its next end is its first."""

_LOOK_SECONDS = 0.5


class LocalWorker:
    """A worker's process, started again when it ends by itself.

    Prefect's worker ends when one request at the wrong moment is answered 500 or 429, and when
    its server is away for minutes. Those who wait for its runs would wait for ever.
    """

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]], log: Path) -> None:
        """Start it.

        Args:
            start: Starts the process, in a session of its own.
            log: Where its output goes.
        """
        self._start, self._log = start, log
        self._children = [start()]
        self._started_at = time.monotonic()
        self._ends = 0
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._keep_alive, name="worker", daemon=True)
        self._watch.start()

    @property
    def pid(self) -> int:
        """The process that is the worker now."""
        return self._children[-1].pid

    def poll(self) -> int | None:
        """None while there is a worker, or will be; then the exit code of the last."""
        return None if self._watch.is_alive() else self._children[-1].poll()

    def check(self) -> None:
        """Make sure that there is a worker, or will be.

        Raises:
            CommandError: It has ended too often; the message has the end of its log.
        """
        if self.poll() is not None:
            raise CommandError(
                f"The local worker ended by itself {self._ends} times and was given up; the end of "
                f"{self._log}:\n{log_tail(self._log)}"
            )

    def stop(self) -> None:
        """Stop it and the runs it executes."""
        self._stopping.set()
        self._watch.join()
        for child in self._children:
            stop_child(child)

    def _keep_alive(self) -> None:
        while not self._stopping.wait(_LOOK_SECONDS):
            if self._children[-1].poll() is None:
                continue
            if time.monotonic() - self._started_at > STEADY_SECONDS:
                self._ends = 0
            self._ends += 1
            # Runs that it has started go on without it, and report their end themselves.
            if self._ends > len(PAUSES) or self._stopping.wait(PAUSES[self._ends - 1]):
                return
            self._children.append(self._start())
            self._started_at = time.monotonic()


@contextlib.contextmanager
def process_worker(work_pool: str, log: Path) -> Iterator[LocalWorker]:
    """A worker for `work_pool` on the server of this process's environment.

    Without a limit of its own: parents and children run in the same pool, and a limit that
    parents use up while they wait for their children would never free itself. The pool's
    queues limit what runs at once.

    Args:
        work_pool: The pool's name.
        log: Where the worker's output goes; replaced.
    """
    from flows.boundary.settings import PROJECT_DIR, project_root  # noqa: PLC0415 - loads Prefect

    arguments = ["worker", "start", "--pool", work_pool, "--type", "process"]
    env = WORKER_SETTINGS | os.environ
    # The jobs' command says `python`: the one that has this project installed.
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    # Jobs run in folders of their own: what is relative for this command is so for them.
    env.setdefault(PROJECT_DIR, str(project_root()))
    # What keeps Prefect's log off the terminal is not meant for the worker, which has a log.
    env.pop("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", None)
    log.unlink(missing_ok=True)

    def start() -> subprocess.Popen[bytes]:
        return start_child("prefect", arguments, log=log, env=env, append=True)

    worker = LocalWorker(start, log)
    try:
        yield worker
    finally:
        worker.stop()


@contextlib.asynccontextmanager
async def needing(worker: LocalWorker | None) -> AsyncIterator[None]:
    """End the block when the worker whose runs it waits for has been given up.

    Args:
        worker: The worker; None when the block needs none.

    Raises:
        CommandError: It has been given up; the block was cancelled.
    """
    body = asyncio.current_task()
    failures: list[CommandError] = []

    async def watch(needed: LocalWorker) -> None:
        while not failures:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                needed.check()
            except CommandError as error:
                failures.append(error)
        if body is not None:
            body.cancel()

    watcher = None if worker is None else asyncio.create_task(watch(worker))
    try:
        yield
    except asyncio.CancelledError:
        if not failures or body is None:
            raise
        body.uncancel()
        raise failures[0] from None
    finally:
        if watcher is not None:
            watcher.cancel()
