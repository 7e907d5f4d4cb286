"""Whether the New York Stock Exchange trades at a moment, and when it does next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK

_LONGEST_CLOSED = timedelta(days=14)
"""Longer than the exchange was ever closed since 1933."""


@dataclass(frozen=True, slots=True)
class Hours:
    """One session.

    Attributes:
        day: Its New York date.
        opens: First moment of trading, UTC.
        closes: Last moment, UTC; three hours earlier than usual on half days.
    """

    day: date
    opens: datetime
    closes: datetime


def session_on(day: date) -> Hours | None:
    """The session of a New York date; None on a weekend or holiday."""
    found = sessions(day, day)
    return _hours(found.dates[0], found.opens[0], found.closes[0]) if len(found) else None


def next_session(moment: datetime) -> Hours:
    """The session that is under way at a moment, or else the next one.

    Args:
        moment: Time-zone aware.
    """
    here = moment.astimezone(NEW_YORK).date()
    found = sessions(here, here + _LONGEST_CLOSED)
    at = int(np.searchsorted(found.closes, np.datetime64(_naive(moment), "ns"), side="right"))
    return _hours(found.dates[at], found.opens[at], found.closes[at])


def session_before(moment: datetime) -> Hours:
    """The last session before the New York date of a moment.

    Args:
        moment: Time-zone aware.
    """
    here = moment.astimezone(NEW_YORK).date()
    found = sessions(here - _LONGEST_CLOSED, here - timedelta(days=1))
    return _hours(found.dates[-1], found.opens[-1], found.closes[-1])


def is_open(moment: datetime) -> bool:
    """Whether stocks trade at a moment: from the open to before the close."""
    hours = session_on(moment.astimezone(NEW_YORK).date())
    return hours is not None and hours.opens <= moment < hours.closes


def why_closed(moment: datetime, *, after_close: timedelta = timedelta(0)) -> str | None:
    """Why there is nothing to do at a moment for what follows the market; None when there is.

    Args:
        moment: When the work was meant to begin, time-zone aware.
        after_close: How long after the close there still is something to do.

    Returns:
        A sentence that begins with "market closed", or None.
    """
    local = moment.astimezone(NEW_YORK)
    hours = session_on(local.date())
    if hours is None:
        return why_no_session(moment)
    if moment < hours.opens:
        return f"market closed: {local:%Y-%m-%d %H:%M} is before the open"
    if moment > hours.closes + after_close:
        closed = hours.closes.astimezone(NEW_YORK)
        return f"market closed: {local:%Y-%m-%d %H:%M} is after the close at {closed:%H:%M}"
    return None


def why_no_session(moment: datetime) -> str | None:
    """Why a moment's day in New York has no session, for what runs at any time of such a day.

    Returns:
        A sentence that begins with "market closed", or None.
    """
    day = moment.astimezone(NEW_YORK).date()
    if session_on(day) is not None:
        return None
    return f"market closed: {day} is no session of the New York Stock Exchange"


def why_not_ended(moment: datetime) -> str | None:
    """Why the day's session has not ended at a moment, for what runs at the end of a day.

    Returns:
        A sentence that begins with "market closed" on a day without a session, one that says when
        the session ends when it has not, or None.
    """
    local = moment.astimezone(NEW_YORK)
    hours = session_on(local.date())
    if hours is None:
        return why_no_session(moment)
    if moment < hours.closes:
        ends = hours.closes.astimezone(NEW_YORK)
        return f"market open: the session of {local:%Y-%m-%d} ends at {ends:%H:%M}"
    return None


def _hours(day: np.datetime64, opens: np.datetime64, closes: np.datetime64) -> Hours:
    return Hours(day.astype(object), _aware(opens), _aware(closes))


def _aware(moment: np.datetime64) -> datetime:
    naive: datetime = moment.astype("datetime64[us]").astype(object)
    return naive.replace(tzinfo=UTC)


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
