"""The settlement window: the last sessions, which a source may still correct."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK, to_datetime64

SETTLEMENT_SESSIONS = 5
"""How many of the last sessions a source may still correct."""

_LONG_ENOUGH = timedelta(days=30)
"""Calendar days that hold as many sessions, whatever the holidays."""


def settlement_start(now: datetime) -> date:
    """The first session that is not settled at a time: the fifth last that has begun."""
    today = now.astimezone(NEW_YORK).date()
    begun = sessions(today - _LONG_ENOUGH, today)
    begun = begun[begun.opens <= to_datetime64(now)]
    first: date = begun.dates[-SETTLEMENT_SESSIONS].item()
    return first
