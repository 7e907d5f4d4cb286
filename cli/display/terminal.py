"""Progress on a terminal: a spinner, a bar, the counts and the time, in one line."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.display.progress import PartitionProgress


class TerminalDisplay:
    """A moving line on standard error that is gone when it is done."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            console=console or Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def phase(self, text: str) -> None:
        """Name the phase; how long it takes is not known."""
        self._progress.update(self._task, description=text, total=None)

    def partitions(self, progress: PartitionProgress) -> None:
        """Move the bar."""
        self._progress.update(
            self._task,
            description=str(progress),
            total=progress.total or None,
            completed=progress.completed + progress.failed,
        )
