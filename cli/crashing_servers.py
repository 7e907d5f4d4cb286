"""Servers of this machine that die each time they are started."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from servers.shared.server import server_crashes
from trading.operations.crashes import Crashes


def crashing_servers(folders: Iterable[Path]) -> list[tuple[Crashes, str]]:
    """Those of these folders, each with the sentence that people are told."""
    now, found = datetime.now(UTC), []
    for folder in folders:
        if (told := server_crashes(folder)) is not None:
            since = datetime.fromtimestamp(told.since, UTC)
            one = Crashes(folder.name, since, told.count, told.said)
            found.append((one, f"{one.sentence(now)}; see {told.log}"))
    return found
