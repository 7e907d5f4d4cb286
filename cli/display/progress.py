"""What the user sees while the pipeline runs: one moving line, or plain lines in a file."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

PLAIN_SECONDS = 5.0
"""Pause between two lines of progress where lines cannot be overwritten."""

FAILURES = ("Failed", "Crashed", "Cancelled", "TimedOut")
"""Names of final states in which a partition's result is not there."""


@dataclass(frozen=True, slots=True)
class PartitionProgress:
    """How far the partitions are.

    Attributes:
        total: All that are to be computed, or the flow runs created so far when that is unknown.
        completed: Those whose result is there.
        failed: Those that ended without one.
        per_second: Partitions that ended per second since the first was seen to end.
    """

    total: int
    completed: int
    failed: int
    per_second: float | None

    def __str__(self) -> str:
        """The counts as a line of text."""
        rate = "" if self.per_second is None else f", {self.per_second:.1f}/s"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"partitions: {self.completed} of {self.total} completed{failed}{rate}"


@dataclass(frozen=True, slots=True)
class EstimatedProgress(PartitionProgress):
    """How far the partitions are, and when the rest is done at the same rate."""

    def __str__(self) -> str:
        """The counts as a line of text, with the time left once a rate is known."""
        left = self.total - self.completed - self.failed
        # Not `super()`: a class with slots is made anew, which that does not follow.
        counts = PartitionProgress.__str__(self)
        return counts if not self.per_second else f"{counts}, {_left(left / self.per_second)} left"


def _left(seconds: float) -> str:
    """`40 s`, `12 min` or `3.5 h`."""
    if seconds < 100:  # noqa: PLR2004 - so that two digits are shown
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004 - as above


@dataclass(slots=True)
class ProgressMeter:
    """Turns counts by state into progress with a rate."""

    _first: tuple[float, int] | None = field(default=None, init=False)

    def read(self, states: Mapping[str, int], due: int | None, now: float) -> PartitionProgress:
        """The progress at a moment.

        Args:
            states: Flow runs of partitions by state name.
            due: How many partitions are to be computed, None when it is unknown.
            now: Monotonic time in seconds.
        """
        completed = states.get("Completed", 0)
        failed = sum(states.get(name, 0) for name in FAILURES)
        ended = completed + failed
        if self._first is None and ended:
            self._first = (now, ended)
        rate = None
        if self._first is not None and now > self._first[0]:
            rate = (ended - self._first[1]) / (now - self._first[0])
        return PartitionProgress(due or sum(states.values()), completed, failed, rate)


class Display(Protocol):
    """Where progress is shown."""

    def phase(self, text: str) -> None:
        """Say what is being done now."""

    def partitions(self, progress: PartitionProgress) -> None:
        """Say how far the partitions are."""


@dataclass(slots=True)
class PlainDisplay:
    """Lines on standard error, none of them more often than every `PLAIN_SECONDS`."""

    _last: float = field(default=0.0, init=False)
    _shown: str = field(default="", init=False)

    def phase(self, text: str) -> None:
        """Print the phase."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201 - the command's own output

    def partitions(self, progress: PartitionProgress) -> None:
        """Print the counts when they changed and the last line is old enough."""
        counts = f"{progress.completed}/{progress.failed}/{progress.total}"
        if counts != self._shown and time.monotonic() - self._last >= PLAIN_SECONDS:
            self._last, self._shown = time.monotonic(), counts
            self.phase(f"  {progress}")


@contextlib.contextmanager
def progress_display() -> Iterator[Display]:
    """A display on standard error: moving on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield PlainDisplay()
        return
    from cli.display.terminal import TerminalDisplay  # noqa: PLC0415 - rich, for terminals only

    with TerminalDisplay() as display:
        yield display
