"""Memory of each process and disk of the folder, looked at now and then.

Flat means: in the last session no process had more memory than 1.25 times what it had at most in
the second and 16 MiB; and the last session added no more to the disk than 1.5 times what the third
one did and 8 MiB. What is stored of a session stays, so the disk grows by the same with each; the
log that Postgres writes ahead is bounded by itself and counted apart.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.week.platform import BACKEND, Platform

MIB = 2**20
MOST_RATIO, MOST_MORE = 1.25, 16 * MIB
MOST_GROWTH, MOST_ADDED = 1.5, 8 * MIB
LONGEST_LOG_AHEAD = 4096 * MIB
"""Postgres' `max_wal_size` here."""


@dataclass(slots=True)
class Growth:
    """What was seen, by session.

    Attributes:
        memory: Bytes of each process at most.
        disk: Bytes of the folder at the end, without Postgres' log ahead.
        log_ahead: Bytes of that log at most.
    """

    memory: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    disk: dict[int, int] = field(default_factory=dict)
    log_ahead: int = 0

    def look(self, platform: Platform, session: int) -> None:
        """Look at all of it once."""
        for name, process in platform.processes().items():
            with contextlib.suppress(psutil.Error):
                seen = process.memory_info().rss
                self.memory[name][session] = max(seen, self.memory[name].get(session, 0))
        place = platform.plan.server_dir
        ahead = _size(place / "postgres" / "data" / "pg_wal")
        self.log_ahead = max(self.log_ahead, ahead)
        self.disk[session] = _size(place) - ahead

    def violations(self) -> list[str]:
        """What is not flat."""
        found = []
        for name, by_session in sorted(self.memory.items()):
            whole = [at for at in sorted(by_session) if at > 0][:1]
            last = max(by_session, default=0)
            if not whole or last <= whole[0] or name == BACKEND:
                continue
            before, after = by_session[whole[0]], by_session[last]
            if after > MOST_RATIO * before + MOST_MORE:
                found.append(f"{name} grew from {before // MIB} to {after // MIB} MiB")
        added = self.added()
        if len(added) > 2 and added[-1] > MOST_GROWTH * max(added[1], 0) + MOST_ADDED:
            found.append(f"the sessions added {[f'{one // MIB} MiB' for one in added]} to the disk")
        if self.log_ahead > LONGEST_LOG_AHEAD:
            found.append(f"Postgres' log ahead took {self.log_ahead // MIB} MiB")
        return found

    def added(self) -> list[int]:
        """Bytes that each session after the first added."""
        sizes = [self.disk[at] for at in sorted(self.disk)]
        return [after - before for before, after in itertools.pairwise(sizes)]


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.stat(os.path.join(place, name), follow_symlinks=False).st_size  # noqa: PTH116, PTH118 - thousands of files
    return total
