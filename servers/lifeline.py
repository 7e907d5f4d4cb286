"""Run a Python module for as long as the process that started it lives.

`python -m servers.lifeline prefect server start` is `python -m prefect server start` that watches
its standard input: a pipe of which the parent holds the other end. However the parent ends, SIGKILL
included, the kernel closes that end, and this process stops itself and everything it started.
A parent-death signal would not do: it is Linux's own, and tied to a thread of the parent.

Standard library only: nothing here may slow a child's start.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 8.0
"""How long an orphan may take to stop by itself before its process group is killed."""


def end_with_stdin() -> None:
    """Block until standard input is closed, then end this process and its group."""
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the module named by the first argument as `__main__` with the others."""
    # A shell's `command &` hands down an ignored SIGINT, with which a worker, that turns SIGTERM
    # into SIGINT, would never end.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=end_with_stdin, name="lifeline", daemon=True).start()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
