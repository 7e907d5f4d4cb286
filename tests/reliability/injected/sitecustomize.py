"""Faults inside the processes that a test starts: Python imports this file when it is on its path.

A write of a result is: open a temporary file, fill it, rename it. The three points at which a
process can meet its end are in the standard library, so the product knows nothing of this. What
is to happen lies in files of the folder RELIABILITY_FAULTS, written by `tests.reliability.faults`;
each happens once, in whichever process takes it first.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import time
from pathlib import Path
from typing import Any

FOLDER = os.environ.get("RELIABILITY_FAULTS")
HELD_SECONDS = 1200.0
"""How long a process is held that nobody lets go: its test has failed by then, or was killed."""


def _meet(point: str, target: str) -> None:
    """Let happen what is planned for this point of a write to `target`."""
    for plan in sorted(Path(str(FOLDER)).glob("*.plan")):
        try:
            fault = json.loads(plan.read_text())
            if fault["point"] != point or not target.endswith(fault["file"]):
                continue
            plan.rename(plan.with_suffix(".taken"))
        except FileNotFoundError:
            continue  # another process was faster
        if fault["action"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        plan.with_suffix(".reached").write_text(str(os.getpid()))
        deadline = time.monotonic() + HELD_SECONDS
        while not plan.with_suffix(".go").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        return


def _target_of(temporary: pathlib.PurePath) -> str:
    """The file that a temporary one is to become: `.NAME.PROCESS-RANDOM.tmp`."""
    return str(temporary.with_name(temporary.name[1:].rpartition(".tmp")[0].rpartition(".")[0]))


def _install() -> None:
    real_open, real_replace = Path.open, Path.replace

    def opened(path: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        if mode == "xb":
            _meet("before", _target_of(path))
        return real_open(path, mode, *args, **more)

    def replaced(path: Path, target: Any) -> Any:
        _meet("during", str(target))
        answer = real_replace(path, target)
        _meet("after", str(target))
        return answer

    Path.open, Path.replace = opened, replaced  # type: ignore[method-assign,assignment]


if FOLDER:
    _install()
