"""When a notification may be sent, and when it is tried again: pure rules of time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from trading.alerts.rules import Severity
from trading.errors import ParameterError
from trading.instruments.clock import EXCHANGE_ZONE

ATTEMPTS = 8
"""How often a notification is tried before it counts as failed: over about an hour."""

_FIRST_PAUSE, _LONGEST_PAUSE = timedelta(seconds=15), timedelta(minutes=20)
_QUIET = re.compile(r"(\d\d:\d\d)-(\d\d:\d\d)(?: ([A-Za-z_+/-]+[0-9]*))?\Z")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of each day in which only what is critical is sent.

    Attributes:
        start: When they begin, by the zone's clock.
        end: When they end; before `start`, they end the next day.
        zone: Whose clock.
    """

    start: time
    end: time
    zone: ZoneInfo

    def end_after(self, at: datetime) -> datetime | None:
        """When the quiet hours that an aware moment lies in end; None when it lies in none."""
        local = at.astimezone(self.zone)
        clock = local.time()
        if self.start <= self.end:
            inside, days = self.start <= clock < self.end, 0
        else:
            inside, days = clock >= self.start or clock < self.end, int(clock >= self.start)
        if not inside:
            return None
        return datetime.combine(local.date() + timedelta(days=days), self.end, self.zone)


def quiet_hours(text: str) -> QuietHours:
    """The hours that text like `22:00-07:00 America/New_York` names; without a zone New York's.

    Raises:
        ParameterError: It names none.
    """
    found = _QUIET.match(text)
    try:
        if found is not None:
            start, end, zone = found.group(1), found.group(2), found.group(3) or EXCHANGE_ZONE
            return QuietHours(time.fromisoformat(start), time.fromisoformat(end), ZoneInfo(zone))
    except (ValueError, ZoneInfoNotFoundError):
        pass
    allowed = "hours of a day and a time zone"
    next_step = "write it like 22:00-07:00 America/New_York"
    raise ParameterError("notify_quiet", text, allowed, next_step)


def not_before(at: datetime, severity: Severity, quiet: QuietHours | None) -> datetime:
    """The first moment at which a notification of a severity may be sent."""
    if quiet is None or severity == "critical":
        return at
    return quiet.end_after(at) or at


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many failures in a row: doubled each time, up to 20 minutes."""
    doubled: timedelta = _FIRST_PAUSE * 2 ** min(attempts - 1, 10)
    return min(doubled, _LONGEST_PAUSE)
