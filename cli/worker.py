"""A process worker: executes the flow runs of a work pool in processes on this machine."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from cli.child_process import start_child, stopping

WORKER_SETTINGS = {
    # Ten seconds, the default, is most of what a short run takes on a laptop.
    "PREFECT_WORKER_QUERY_SECONDS": "2",
}
"""Defaults of the local worker, which the user's own environment overrides."""


@contextlib.contextmanager
def process_worker(work_pool: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker for `work_pool` on the server of this process's environment.

    Without a limit of its own: parents and children run in the same pool, and a limit that
    parents use up while they wait for their children would never free itself. The pool's
    queues limit what runs at once.

    Args:
        work_pool: The pool's name.
        log: Where the worker's output goes; replaced.
    """
    arguments = ["worker", "start", "--pool", work_pool, "--type", "process"]
    env = WORKER_SETTINGS | os.environ
    # The jobs' command says `python`: the one that has this project installed.
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", os.defpath)])
    # What keeps Prefect's log off the terminal is not meant for the worker, which has a log.
    env.pop("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", None)
    with stopping(start_child("prefect", arguments, log=log, env=env)) as worker:
        yield worker
