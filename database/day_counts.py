"""What a day brought beside orders: signals, corrections, gaps, alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from database.connection import Database

_COUNTS = """
SELECT
    (SELECT count(*) FROM signal
        WHERE available_at >= %(start)s AND available_at < %(end)s AND signal <> 'hold'),
    (SELECT count(*) FROM correction WHERE known_at >= %(start)s AND known_at < %(end)s),
    (SELECT count(*) FROM gap WHERE state = 'open'),
    (SELECT count(*) FROM alert_event
        WHERE at >= %(start)s AND at < %(end)s AND kind = 'firing'),
    (SELECT count(*) FROM alert_state WHERE state = 'firing')
"""


@dataclass(frozen=True, slots=True)
class DayCounts:
    """How many there were.

    Attributes:
        signals: Signals of live bars to buy or sell.
        corrections: Values of bars that a source has changed.
        open_gaps: Sessions that lack bars now.
        alerts: Alerts that began to fire.
        firing: Alerts that fire now.
    """

    signals: int
    corrections: int
    open_gaps: int
    alerts: int
    firing: int


def day_counts(database: Database, start: datetime, end: datetime) -> DayCounts:
    """Count what there was from `start` to before `end`.

    Raises:
        DatabaseError: The database does not answer.
    """
    with database.transaction() as rows:
        row = rows.execute(_COUNTS, {"start": start, "end": end}).fetchone()
    return DayCounts(*(row or (0, 0, 0, 0, 0)))
