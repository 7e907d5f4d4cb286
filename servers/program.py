"""Run a program that is no Python for as long as `servers.lifeline` runs this module.

`python -m servers.lifeline servers.program PATH ARGUMENTS...` starts the program, hands SIGTERM on
to it and ends with its exit code, so that a lifeline holds it like any Python module.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from types import FrameType

ENDED_BY_SIGNAL = 128
"""Added to a signal's number it is the exit code of a program that the signal ended."""


def main(command: list[str]) -> int:
    """Run the command to its end and return its exit code."""
    running: list[subprocess.Popen[bytes]] = []

    def hand_on(signal_number: int, _: FrameType | None) -> None:
        if not running:
            raise SystemExit(ENDED_BY_SIGNAL + signal_number)
        running[0].send_signal(signal_number)

    signal.signal(signal.SIGTERM, hand_on)
    running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))  # noqa: S603 - named by our own code, no shell
    code = running[0].wait()
    return code if code >= 0 else ENDED_BY_SIGNAL - code


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
