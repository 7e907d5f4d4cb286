"""When the exchange trades, at the moments that calendars get wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from trading.instruments.clock import NEW_YORK
from trading.instruments.market_hours import (
    is_open,
    next_session,
    session_before,
    session_on,
    why_closed,
    why_not_ended,
)


def new_york(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-05T09:29:59", False),
        ("2026-01-05T09:30", True),
        ("2026-01-05T15:59:59", True),
        ("2026-01-05T16:00", False),
        ("2026-01-03T12:00", False),  # Saturday
        ("2026-07-03T12:00", False),  # Independence Day, observed
        ("2026-11-27T12:59", True),  # half day
        ("2026-11-27T13:00", False),
        ("2026-03-09T09:30", True),  # the Monday after clocks went forward
        ("2026-11-02T15:59", True),  # and after they went back
    ],
)
def test_it_is_open_from_the_open_to_before_the_close(moment: str, *, expected: bool) -> None:
    assert is_open(new_york(moment)) is expected


def test_the_opens_in_utc_follow_the_clocks_of_new_york() -> None:
    for day, hour in ((date(2026, 3, 6), 14), (date(2026, 3, 9), 13), (date(2026, 11, 2), 14)):
        session = session_on(day)
        assert session is not None
        assert session.opens == datetime(day.year, day.month, day.day, hour, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-01-05T08:00", date(2026, 1, 5)),
        ("2026-01-05T15:00", date(2026, 1, 5)),
        ("2026-01-05T16:00", date(2026, 1, 6)),
        ("2026-11-25T17:00", date(2026, 11, 27)),  # over Thanksgiving
        ("2001-09-11T12:00", date(2001, 9, 17)),
    ],
)
def test_the_next_session_is_the_one_under_way_or_the_one_that_follows(
    moment: str, day: date
) -> None:
    assert next_session(new_york(moment)).day == day


def test_why_there_is_nothing_to_do() -> None:
    assert why_closed(new_york("2026-01-05T10:05")) is None
    assert "no session" in str(why_closed(new_york("2026-01-03T10:05")))
    assert "before the open" in str(why_closed(new_york("2026-01-05T09:05")))
    late = new_york("2026-11-27T13:05")
    assert "after the close at 13:00" in str(why_closed(late))
    assert why_closed(late, after_close=timedelta(minutes=30)) is None


def test_a_day_has_ended_when_its_session_has() -> None:
    assert why_not_ended(new_york("2026-01-05T18:00")) is None
    assert "ends at 16:00" in str(why_not_ended(new_york("2026-01-05T11:00")))
    assert "ends at 13:00" in str(why_not_ended(new_york("2026-11-27T11:00")))
    assert str(why_not_ended(new_york("2026-12-25T18:00"))).startswith("market closed")


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2024-01-08T10:05", date(2024, 1, 5)),  # a Monday
        ("2024-01-09T23:59", date(2024, 1, 8)),
        ("2024-01-16T00:00", date(2024, 1, 12)),  # after a long weekend
        ("2024-01-06T12:00", date(2024, 1, 5)),  # a Saturday
    ],
)
def test_the_session_before_is_the_last_of_an_earlier_day(moment: str, day: date) -> None:
    found = session_before(datetime.fromisoformat(moment).replace(tzinfo=NEW_YORK))
    assert found.day == day
    assert found.opens.astimezone(NEW_YORK).isoformat() == f"{day}T09:30:00-05:00"
