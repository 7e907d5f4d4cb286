from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import exchange_calendars
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.arrays import Timestamps
from trading.bars.intervals import MINUTE_INTERVALS, Interval
from trading.bars.resampling.grid import session_grid
from trading.instruments.calendar import sessions

FIRST, LAST = date(2015, 1, 2), date(2024, 12, 31)


@cache
def calendar() -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar("XNYS", start="2015-01-01", end="2025-12-31")


def calendars_own(first: date, last: date, minutes: int) -> tuple[Timestamps, Timestamps]:
    index = calendar().trading_index(
        str(first),
        str(last),
        f"{minutes}min",
        intervals=True,
        closed="left",
        force_close=True,
        parse=True,
    )
    left, right = (
        edges.tz_convert(None).to_numpy().astype("datetime64[ns]")
        for edges in (index.left, index.right)
    )
    return left, right


@pytest.mark.parametrize("interval", [*MINUTE_INTERVALS, Interval.HOUR])
def test_edges_of_ten_years_are_the_exchange_calendars_own(interval: Interval) -> None:
    grid = session_grid(sessions(FIRST, LAST), interval.minutes)
    starts, ends = calendars_own(FIRST, LAST, interval.minutes)
    np.testing.assert_array_equal(grid.starts, starts)
    np.testing.assert_array_equal(grid.ends, ends)


@settings(max_examples=25, deadline=None)
@given(st.dates(FIRST, LAST), st.integers(0, 9), st.integers(1, 389))
def test_edges_of_any_length_are_the_exchange_calendars_own(
    first: date, days: int, minutes: int
) -> None:
    last = first + timedelta(days=days)
    within = sessions(first, last)
    if not len(within):
        return
    grid = session_grid(within, minutes)
    starts, ends = calendars_own(first, last, minutes)
    np.testing.assert_array_equal(grid.starts, starts)
    np.testing.assert_array_equal(grid.ends, ends)


@pytest.mark.parametrize(
    ("minutes", "full", "half", "last_full", "last_half"),
    [
        (1, 390, 210, 1, 1),
        (3, 130, 70, 3, 3),
        (5, 78, 42, 5, 5),
        (8, 49, 27, 6, 2),
        (13, 30, 17, 13, 2),
        (21, 19, 10, 12, 21),
        (34, 12, 7, 16, 6),
        (55, 8, 4, 5, 45),
    ],
)
def test_counts_of_a_full_and_of_a_half_day(
    minutes: int, full: int, half: int, last_full: int, last_half: int
) -> None:
    for day, count, last in (
        (date(2015, 12, 23), full, last_full),
        (date(2015, 12, 24), half, last_half),
    ):
        grid = session_grid(sessions(day, day), minutes)
        assert len(grid) == count
        assert grid.minutes.tolist() == [minutes] * (count - 1) + [last]


@pytest.mark.parametrize("day", [date(2022, 6, 20), date(2025, 1, 9)])
def test_a_closed_day_has_no_bars(day: date) -> None:
    assert len(session_grid(sessions(day, day), 21)) == 0


def test_the_second_day_begins_at_its_own_open_through_both_changes_of_the_clock() -> None:
    for first, last in (
        (date(2024, 3, 8), date(2024, 3, 11)),
        (date(2024, 11, 1), date(2024, 11, 4)),
    ):
        within = sessions(first, last)
        grid = session_grid(within, 21)
        assert len(grid) == 38
        assert grid.starts[19] == within.opens[1]
        assert grid.ends[18] == within.closes[0]
        assert within.opens[1] - within.opens[0] != np.timedelta64(3, "D")


def test_a_bar_of_no_minutes_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one minute"):
        session_grid(sessions(FIRST, LAST), 0)
