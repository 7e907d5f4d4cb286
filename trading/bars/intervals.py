"""How long a bar lasts: minutes within a session, or whole sessions."""

from __future__ import annotations

from enum import StrEnum


class Interval(StrEnum):
    """The length of a bar; Fibonacci numbers of minutes or sessions, and the hour."""

    MINUTE = "1m"
    MINUTES_3 = "3m"
    MINUTES_5 = "5m"
    MINUTES_8 = "8m"
    MINUTES_13 = "13m"
    MINUTES_21 = "21m"
    MINUTES_34 = "34m"
    MINUTES_55 = "55m"
    HOUR = "1h"
    DAY = "1d"
    DAYS_3 = "3d"
    DAYS_5 = "5d"
    DAYS_8 = "8d"
    DAYS_13 = "13d"
    DAYS_21 = "21d"
    DAYS_34 = "34d"

    @property
    def is_intraday(self) -> bool:
        """Whether bars lie within a session; otherwise they span whole sessions."""
        return not self.value.endswith("d")

    @property
    def minutes(self) -> int:
        """Length in minutes.

        Raises:
            ValueError: The interval counts sessions.
        """
        if not self.is_intraday:
            raise ValueError(f"{self.value} counts sessions, not minutes")
        return 60 if self is Interval.HOUR else int(self.value[:-1])

    @property
    def sessions(self) -> int:
        """Length in sessions.

        Raises:
            ValueError: The interval counts minutes.
        """
        if self.is_intraday:
            raise ValueError(f"{self.value} counts minutes, not sessions")
        return int(self.value[:-1])


MINUTE_INTERVALS = tuple(i for i in Interval if i.value.endswith("m"))
"""What silver makes of a session's minutes, shortest first."""

SESSION_INTERVALS = tuple(i for i in Interval if not i.is_intraday)
"""What silver makes of daily bars, shortest first."""
