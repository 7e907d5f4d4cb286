"""The year 2026 by a clock of its own: each firing of each schedule, and what its gate says.

The oracle is the exchange's own list of holidays and early closes, written down here, and the dates
on which clocks change: it shares no code with the calendar of the project.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

import pytest

from flows.operations.hourly import AFTER_CLOSE
from tests.flows.test_schedules import CRONS, firings
from trading.instruments.market_hours import why_closed, why_no_session, why_not_ended

HOLIDAYS = {
    date(2026, 1, 1),  # New Year's Day
    date(2026, 1, 19),  # Martin Luther King, Jr. Day
    date(2026, 2, 16),  # Washington's Birthday
    date(2026, 4, 3),  # Good Friday
    date(2026, 5, 25),  # Memorial Day
    date(2026, 6, 19),  # Juneteenth
    date(2026, 7, 3),  # Independence Day, which is a Saturday
    date(2026, 9, 7),  # Labor Day
    date(2026, 11, 26),  # Thanksgiving
    date(2026, 12, 25),  # Christmas
}
EARLY = {date(2026, 11, 27), date(2026, 12, 24)}
"""Days that close at 13:00. https://www.nyse.com/markets/hours-calendars"""

SUMMER = (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC))
"""New York is four hours behind UTC between these, five otherwise."""


def new_york(moment: datetime) -> datetime:
    """The wall clock of New York, by the two changes alone."""
    behind = 4 if SUMMER[0] <= moment < SUMMER[1] else 5
    return (moment - timedelta(hours=behind)).replace(tzinfo=None)


def is_session(day: date) -> bool:
    return day.weekday() < 5 and day not in HOLIDAYS


def close_of(day: date) -> datetime:
    return datetime.combine(day, time(13) if day in EARLY else time(16))


def in_session(local: datetime, after: timedelta = timedelta(0)) -> bool:
    day = local.date()
    opens = datetime.combine(day, time(9, 30))
    return is_session(day) and opens <= local < close_of(day) + after


def weekly(weekday: int, hour: int, minute: int) -> set[datetime]:
    first = datetime(2026, 1, 1, hour, minute, tzinfo=UTC)
    every = (first + timedelta(days=n) for n in range(365))
    return {moment for moment in every if moment.weekday() == weekday}


def every(minutes: int) -> set[datetime]:
    first = datetime(2026, 1, 1, tzinfo=UTC)
    return {first + timedelta(minutes=n) for n in range(0, 365 * 24 * 60, minutes)}


def weekdays_at(*times: time) -> set[datetime]:
    """Those moments of all weekdays in New York, holidays among them, in UTC."""
    found = set()
    for n in range(365):
        day = date(2026, 1, 1) + timedelta(days=n)
        if day.weekday() >= 5:
            continue
        for at in times:
            local = datetime.combine(day, at)
            (moment,) = {
                guess
                for behind in (4, 5)
                if new_york(guess := (local + timedelta(hours=behind)).replace(tzinfo=UTC)) == local
            }
            found.add(moment)
    return found


EXPECTED: dict[str, set[datetime]] = {
    "end-of-day/after-the-close": weekdays_at(time(18)),
    "hourly/hourly": weekdays_at(*(time(hour, 5) for hour in range(10, 17))),
    "news/hourly": weekdays_at(*(time(hour, 5) for hour in range(10, 17))),
    "session-check/before-the-bell": weekdays_at(time(9, 25)),
    "maintenance/sundays": weekly(6, 2, 0),
    "company/sundays": weekly(6, 2, 30),
    "backup/sundays": weekly(6, 3, 0),
    "performance-report/saturdays": weekly(5, 1, 0),
    "health/every-5-minutes": every(5),
    "monitor-risk/quarter-hourly": every(15),
    "reconcile-orders/every-six-hours": every(6 * 60),
}

Gate = tuple[Callable[[datetime], str | None], Callable[[datetime], bool], int]

IN_SESSION: Gate = (
    lambda moment: why_closed(moment, after_close=AFTER_CLOSE),
    lambda local: in_session(local, AFTER_CLOSE),
    # Seven on each of 249 days; on the two short ones those at 10:05 to 13:05.
    249 * 7 + 2 * 4,
)

GATES: dict[str, Gate] = {
    "end-of-day/after-the-close": (
        why_not_ended,
        lambda local: is_session(local.date()) and local >= close_of(local.date()),
        251,
    ),
    "hourly/hourly": IN_SESSION,
    "news/hourly": IN_SESSION,
    "session-check/before-the-bell": (
        why_no_session,
        lambda local: is_session(local.date()),
        251,
    ),
}
"""Of each deployment that follows the market: its gate, the oracle's, and how often it is open."""


def test_every_schedule_of_the_file_has_an_answer() -> None:
    assert set(CRONS) == set(EXPECTED)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow] if cron.cron.startswith("*/5 ") else [])
        for name, cron in CRONS.items()
    ],
)
def test_it_fires_when_it_should_and_at_no_other_time(name: str) -> None:
    fired = firings(CRONS[name])
    assert Counter(fired) == Counter(EXPECTED[name])


@pytest.mark.parametrize("name", GATES)
def test_its_gate_lets_it_through_on_sessions_and_at_no_other_time(name: str) -> None:
    gate, oracle, count = GATES[name]
    opened = 0
    for moment in firings(CRONS[name]):
        reason = gate(moment)
        expected = oracle(new_york(moment))
        assert (reason is None) is expected, f"{moment}: {reason}"
        assert reason is None or reason.startswith("market closed"), reason
        opened += expected
    assert opened == count


def test_most_firings_of_a_plain_cron_in_utc_would_fall_outside_of_sessions() -> None:
    """What the gates are for, and that the oracle is none that always says yes."""
    plain = [m for m in every(60) if m.weekday() < 5 and 14 <= m.hour <= 21]
    closed = sum(not in_session(new_york(moment)) for moment in plain)
    assert round(100 * closed / len(plain)) == 28
