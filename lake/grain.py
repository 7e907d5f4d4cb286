"""What one partition covers."""

from __future__ import annotations

from enum import StrEnum


class Grain(StrEnum):
    """What one partition covers: one bar, or all bars of a session, month, year or history."""

    BAR = "bar"
    SESSION = "session"
    MONTH = "month"
    YEAR = "year"
    ALL = "all"
