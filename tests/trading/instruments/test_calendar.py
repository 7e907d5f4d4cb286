from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.arrays import Timestamps
from trading.instruments.calendar import (
    expected_bars,
    hourly_bars,
    sessions,
    times_of_day,
)
from trading.instruments.clock import to_datetime, to_datetime64

NEW_YORK = ZoneInfo("America/New_York")


def stamps_at(day: date, *times: str) -> list[np.datetime64]:
    return [
        to_datetime64(datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=NEW_YORK))
        for time in times
    ]


def array(stamps: list[np.datetime64]) -> Timestamps:
    return np.array(stamps, "datetime64[ns]")


def shown(stamps: Timestamps) -> list[str]:
    return [f"{to_datetime(stamp):%m-%d %H:%M}" for stamp in stamps]


def plain_hours(first: date, last: date) -> Timestamps:
    """9:30 to 15:30 on every session, as Yahoo stamps hourly bars."""
    every = hourly_bars(sessions(first, last))
    return every[[stamp.endswith(":30") for stamp in shown(every)]]


def test_sessions_leave_out_weekends_and_holidays() -> None:
    within = sessions(date(2023, 12, 29), date(2024, 1, 3))
    assert within.dates.astype(str).tolist() == ["2023-12-29", "2024-01-02", "2024-01-03"]
    assert shown(within.opens) == ["12-29 09:30", "01-02 09:30", "01-03 09:30"]
    assert shown(within.closes) == ["12-29 16:00", "01-02 16:00", "01-03 16:00"]


def test_sessions_close_early_on_the_half_days_of_2024() -> None:
    within = sessions(date(2024, 1, 1), date(2024, 12, 31))
    early = [text for text in shown(within.closes) if not text.endswith("16:00")]
    assert early == ["07-03 13:00", "11-29 13:00", "12-24 13:00"]
    assert len(within) == 252


@pytest.mark.parametrize(("year", "count"), [(1993, 253), (2000, 252), (2001, 248), (2012, 250)])
def test_sessions_reach_back_beyond_the_default_calendar(year: int, count: int) -> None:
    # 2001 lost four sessions to the attacks, 2012 two to a hurricane.
    assert len(sessions(date(year, 1, 1), date(year, 12, 31))) == count


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2024, 1, 6), date(2024, 1, 7)),
        (date(2024, 1, 3), date(2024, 1, 2)),
        (date(2024, 12, 25), date(2024, 12, 25)),
    ],
)
def test_a_range_without_sessions_is_empty(first: date, last: date) -> None:
    within = sessions(first, last)
    assert len(within) == len(within.opens) == len(hourly_bars(within)) == 0


def test_hourly_bars_of_full_and_half_days() -> None:
    assert shown(hourly_bars(sessions(date(2024, 1, 2), date(2024, 1, 2)))) == [
        f"01-02 {time}"
        for time in "09:30 10:30 11:30 12:30 13:30 14:30 15:30 16:00".split()  # noqa: SIM905
    ]
    assert shown(hourly_bars(sessions(date(2024, 7, 3), date(2024, 7, 3)))) == [
        f"07-03 {time}" for time in ("09:30", "10:30", "11:30", "12:30", "13:00")
    ]


def test_times_of_day_follow_new_york_through_daylight_saving() -> None:
    spring = plain_hours(date(2024, 3, 4), date(2024, 3, 15))
    in_utc = {str(stamp)[11:16] for stamp in spring.astype("datetime64[m]")}
    assert len(in_utc) == 8
    minutes = times_of_day(spring).astype("timedelta64[m]").astype(int)
    assert minutes.tolist() == [9 * 60 + 30 + 60 * hour for hour in range(7)]


def test_expected_bars_are_the_hourly_bars_again() -> None:
    # Over a half day, a holiday and a change of the clock.
    within = sessions(date(2024, 11, 1), date(2024, 12, 2))
    times = times_of_day(hourly_bars(within))
    expected = expected_bars(times, within)
    assert expected.tolist() == sorted(expected.tolist())
    missing = np.setdiff1d(hourly_bars(within), expected)
    # A half day's own close is the only stamp that no time of day foretells.
    assert shown(missing) == ["11-29 13:00"]
    assert set(expected.tolist()) <= set(hourly_bars(within).tolist())


@settings(max_examples=12, deadline=None)
@given(st.dates(date(1995, 1, 1), date(2030, 12, 31)), st.integers(0, 40))
def test_every_bar_lies_within_its_session(first: date, days: int) -> None:
    within = sessions(first, first + timedelta(days=days))
    bars = hourly_bars(within)
    at = np.searchsorted(within.opens, bars, side="right") - 1
    assert (np.diff(bars) > np.timedelta64(0)).all()
    assert (bars >= within.opens[at]).all()
    assert (bars <= within.closes[at]).all()
    assert np.isin(within.opens, bars).all()
    assert np.isin(within.closes, bars).all()
