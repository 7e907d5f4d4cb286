"""Logs of days long past: those of a process that runs no more are nobody's to remove."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

LOG_DIR = "TRADING_LOG_DIR"
"""The variable that names the folder where processes of this machine keep their logs."""

_OF_A_DAY = re.compile(r".+\.log\.(\d{4}-\d\d-\d\d)")


def remove_old_logs(folder: Path, before: date) -> list[str]:
    """Remove the logs of days before a date, and nothing else; the names of those that went.

    A process names the file of a day that is over `windows.log.2026-01-05`.

    Raises:
        OSError: The folder cannot be listed, or a file not be removed.
    """
    old = [file for file in sorted(folder.iterdir()) if file.is_file() and _is_old(file, before)]
    for file in old:
        file.unlink(missing_ok=True)
    return [file.name for file in old]


def _is_old(file: Path, before: date) -> bool:
    found = _OF_A_DAY.fullmatch(file.name)
    try:
        return found is not None and date.fromisoformat(found[1]) < before
    except ValueError:
        return False
