"""One way to be stopped: SIGTERM and a closed terminal act like Ctrl-C."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from types import FrameType

from cli.errors import INTERRUPTED, TERMINATED


@dataclass(slots=True)
class StopSignals:
    """Turns what asks this process to stop into KeyboardInterrupt, so that all is cleaned up.

    Attributes:
        exit_code: What a process that was stopped exits with, by the shell's convention.
    """

    exit_code: int = INTERRUPTED

    def install(self) -> None:
        """Handle the signals from now on; main thread only."""
        # A shell's `command &` hands down an ignored SIGINT: what is raised below must arrive.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, self._as_interrupt)
        signal.signal(signal.SIGHUP, self._as_interrupt)

    def _as_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.exit_code = TERMINATED
        signal.raise_signal(signal.SIGINT)
