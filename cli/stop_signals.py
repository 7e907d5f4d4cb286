"""One way to be stopped: SIGTERM and a closed terminal act like Ctrl-C."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

from servers.errors import INTERRUPTED, TERMINATED

SAME_SECONDS = 1.0
"""So close together, two signals are one: a script's to the process group reaches `uv run` as well,
which hands it on."""


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


@contextlib.contextmanager
def interrupt_held() -> Iterator[None]:
    """Keep a Ctrl-C until the block is through.

    For imports: an interrupt in the middle of one of Prefect's classes arrives as another error.
    Prefect then reports that a plug-in failed, and goes on. Signals reach the main thread alone, so
    in any other there is nothing to keep.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []

    def keep(number: int, _frame: FrameType | None) -> None:
        came.append(number)

    interrupt = signal.signal(signal.SIGINT, keep)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
        if came:
            signal.raise_signal(signal.SIGINT)


@contextlib.contextmanager
def stopping_once(say: Callable[[], object]) -> Iterator[None]:
    """Let only the first Ctrl-C interrupt the block; main thread only.

    The second would break off what the first has begun: what was done would not be counted, runs
    would stay unfinished on the server, and Prefect would try for a minute to tell them to a
    server that is stopped by then.

    Args:
        say: Called for every further one.
    """
    interrupt = signal.getsignal(signal.SIGINT)

    def on_first(number: int, frame: FrameType | None) -> None:
        stopped_at = time.monotonic()

        def on_further(_number: int, _frame: FrameType | None) -> None:
            if time.monotonic() - stopped_at >= SAME_SECONDS:
                say()

        signal.signal(signal.SIGINT, on_further)
        if callable(interrupt):
            interrupt(number, frame)

    signal.signal(signal.SIGINT, on_first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, interrupt)
