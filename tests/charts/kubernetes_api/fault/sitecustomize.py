"""Loses or holds the process that loads it when a result file appears: a node's misfortune.

Python imports it before anything else in a process whose `PYTHONPATH` has this folder. It looks at
what the interpreter is about to do, and changes nothing of the program.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

KIND = os.environ["STAND_IN_FAULT"]
MARK = Path(os.environ["STAND_IN_MARK"])
RELEASED = MARK.with_name("released")
HELD_SECONDS = 600.0

_written: list[str] = []


def _look(event: str, arguments: tuple[object, ...]) -> None:
    if event == "os.kill":
        return  # what this function does itself
    if _written and KIND == "lost after writing":
        os.kill(os.getpid(), signal.SIGKILL)
    if event != "os.rename" or not str(arguments[1]).endswith(".parquet"):
        return
    if KIND == "lost before writing":
        os.kill(os.getpid(), signal.SIGKILL)
    if KIND == "held" and not MARK.exists():
        MARK.touch()
        deadline = time.monotonic() + HELD_SECONDS
        while not RELEASED.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    _written.append(str(arguments[1]))


sys.addaudithook(_look)
