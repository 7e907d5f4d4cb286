"""What crashes again and again, said where health, alerts and the desk look."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

import typer

from database.connection import open_database
from database.errors import DatabaseError
from database.live.crashes import report_crashes
from trading.operations.crashes import Crashes

_REPORT_SECONDS = 10.0


class CrashReports:
    """Reports of one `trading live`.

    Args:
        url: The database. While it is away nothing can be said there.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._reporter = f"trading live on {socket.gethostname()}"
        self._reported: set[str] = set()
        self._told: set[str] = set()
        self._report_at = 0.0

    def look(self, down: Sequence[tuple[Crashes, str]]) -> None:
        """Print what is new, and report all of it now and then.

        Args:
            down: What crashes again and again, each with the sentence that people are told.
        """
        found = [one for one, _ in down]
        for one, sentence in down:
            if one.service not in self._told:
                typer.echo(f"{sentence}.", err=True)
        self._told = {one.service for one in found}
        if self._told != self._reported or (found and time.monotonic() >= self._report_at):
            self._report(found)

    def close(self) -> None:
        """Take back what was reported: nothing is begun again any more."""
        if self._reported:
            self._report([])

    def _report(self, found: Sequence[Crashes]) -> None:
        self._report_at = time.monotonic() + _REPORT_SECONDS
        try:
            with open_database(self._url) as database:
                report_crashes(database, self._reporter, list(found))
        except DatabaseError:
            return
        self._reported = {one.service for one in found}
