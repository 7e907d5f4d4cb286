"""When the session that runs began."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

import numpy as np

from trading.instruments.calendar import Sessions, sessions
from trading.instruments.clock import NEW_YORK, to_datetime64


def session_open(at: datetime) -> int | None:
    """The open of the session that an aware moment lies in, in nanoseconds; None between sessions.

    The close is no part of its session.
    """
    session = _session_of(at.astimezone(NEW_YORK).date().isoformat())
    if not len(session):
        return None
    moment = to_datetime64(at)
    inside = session.opens[0] <= moment < session.closes[0]
    return int(session.opens[0].astype(np.int64)) if inside else None


@lru_cache(maxsize=8)
def _session_of(day: str) -> Sessions:
    date = datetime.fromisoformat(day).date()
    return sessions(date, date)
