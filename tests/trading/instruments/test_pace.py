"""How many bars a year has, counted by hand on the exchange's calendar."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.instruments.test_calendar import array, plain_hours, stamps_at
from trading.arrays import Timestamps
from trading.errors import DataError
from trading.instruments.calendar import hourly_bars, sessions
from trading.instruments.pace import pace


def per_year(stamps: Timestamps) -> float:
    found = pace(stamps)
    assert found.reason == ""
    assert found.bars_per_year is not None
    return found.bars_per_year


def days(first: date, last: date, step: int = 1, offset: int = 0) -> list[date]:
    """Calendar days, weekends and holidays among them."""
    count = (last - first).days + 1
    return [first + timedelta(days=day) for day in range(offset, count, step)]


def times(hours: range | list[int]) -> list[str]:
    return [f"{hour:02}:00" for hour in hours]


def test_the_sample_has_its_own_count_of_per_year() -> None:
    sample = hourly_bars(sessions(date(2024, 1, 2), date(2024, 1, 4)))
    assert len(sample) == 24
    # 252 sessions of 8 stamps; the three half days lack 13:30, 14:30, 15:30 and 16:00.
    assert per_year(sample) == 252 * 8 - 3 * 4


def test_plain_hourly_per_year() -> None:
    assert per_year(plain_hours(date(2024, 3, 1), date(2024, 3, 28))) == 252 * 7 - 3 * 3
    many = per_year(plain_hours(date(2003, 1, 1), date(2022, 12, 31)))
    assert 1_748 <= many <= 1_760


def test_several_years_are_averaged() -> None:
    # 250 sessions in 2023 (two half days) and 252 in 2024 (three).
    two_years = plain_hours(date(2023, 12, 1), date(2024, 1, 31))
    assert per_year(two_years) == (250 * 7 - 2 * 3 + 252 * 7 - 3 * 3) / 2


@pytest.mark.parametrize("hour", ["00:00", "09:30", "16:00", "20:00"])
def test_daily_data_have_as_many_bars_as_sessions(hour: str) -> None:
    days = sessions(date(2024, 2, 1), date(2024, 4, 30)).dates.tolist()
    assert per_year(array([stamp for day in days for stamp in stamps_at(day, hour)])) == 252


def test_daily_data_stamped_at_midnight_utc() -> None:
    # 19:00 or 20:00 of the day before in New York, by daylight saving.
    days = sessions(date(2024, 2, 1), date(2024, 4, 30)).dates
    assert per_year(days.astype("datetime64[ns]")) == 252


def test_one_bar_is_daily_data() -> None:
    assert per_year(array(stamps_at(date(2024, 1, 2), "10:30"))) == 252


def test_stray_bars_count_as_bars_and_make_no_times_of_day() -> None:
    hours = plain_hours(date(2024, 6, 3), date(2024, 8, 30))
    running = stamps_at(date(2024, 6, 4), "11:47") + stamps_at(date(2024, 7, 3), "13:00")
    with_strays = per_year(np.sort(np.r_[hours, array(running)]))
    assert with_strays == pytest.approx(per_year(hours) * (len(hours) + 2) / len(hours))


@pytest.mark.parametrize("weekday", range(7))
@pytest.mark.parametrize("years", [1, 3])
def test_weekly_bars_are_52_a_year_on_whatever_day_they_are_stamped(
    weekday: int, years: int
) -> None:
    # 1 January 2024 was a Monday. Some Mondays and Fridays are holidays, no Sunday is a session.
    weeks = days(date(2024, 1, 1), date(2023 + years, 12, 31), 7, weekday)
    assert per_year(array([s for day in weeks for s in stamps_at(day, "00:00")])) == pytest.approx(
        365.2425 / 7
    )
    assert per_year(np.array(weeks, "datetime64[ns]")) == pytest.approx(365.2425 / 7)


def test_weekly_bars_stamped_with_the_first_session_of_the_week() -> None:
    every = sessions(date(2022, 1, 1), date(2023, 12, 31)).dates
    weeks = (every.astype(np.int64) + 3) // 7
    firsts = every[np.append(True, weeks[1:] != weeks[:-1])]
    assert per_year(firsts.astype("datetime64[ns]")) == pytest.approx(52.18, rel=5e-3)


def test_monthly_and_quarterly_bars() -> None:
    months = np.arange("2010-01", "2020-01", dtype="datetime64[M]").astype("datetime64[ns]")
    assert per_year(months) == pytest.approx(12, rel=2e-3)
    assert per_year(months[::3]) == pytest.approx(4, rel=2e-3)


def test_bars_of_three_sessions_are_a_third_as_many() -> None:
    every = sessions(date(2015, 1, 1), date(2020, 12, 31)).dates.astype("datetime64[ns]")
    assert per_year(every[::3]) == pytest.approx(len(every) / 6 / 3, rel=2e-2)


def test_weeks_that_are_missing_change_no_pace() -> None:
    weeks = np.array(days(date(2020, 1, 6), date(2023, 12, 31), 7), "datetime64[ns]")
    assert per_year(np.r_[weeks[:40], weeks[90:]]) == pytest.approx(365.2425 / 7)


def test_bars_of_extended_hours_are_counted_on_every_session() -> None:
    # 04:00 to 19:00 on the full hour, 16 bars a session.
    stamps = [
        stamp
        for day in sessions(date(2024, 2, 1), date(2024, 4, 30)).dates.tolist()
        for stamp in stamps_at(day, *times(range(4, 20)))
    ]
    assert per_year(array(stamps)) == 252 * 16 == 4032


def test_bars_around_trading_hours_count_with_those_within() -> None:
    within = sessions(date(2024, 6, 3), date(2024, 6, 7)).dates.tolist()
    early = [s for day in within for s in stamps_at(day, "08:30", "09:30", "16:00", "16:30")]
    assert per_year(array(early)) == 252 * 4


def test_bars_of_one_hour_in_utc_keep_their_count_through_daylight_saving() -> None:
    every = sessions(date(2024, 1, 1), date(2024, 12, 31)).dates
    hours = (np.arange(7) * 3600 + 14 * 3600 + 1800).astype("timedelta64[s]")
    stamps = (every[:, None] + hours).ravel().astype("datetime64[ns]")
    assert per_year(stamps) == pytest.approx(252 * 7, rel=2e-3)


def test_bars_that_are_missing_within_sessions_are_not_counted() -> None:
    hours = plain_hours(date(2024, 1, 2), date(2024, 12, 31))
    kept = hours[np.random.default_rng(0).random(len(hours)) < 0.8]
    assert per_year(kept) == pytest.approx(len(kept), rel=1e-2)


def test_sessions_without_a_bar_are_holes_that_change_no_pace() -> None:
    parts = [
        plain_hours(date(2024, 1, 2), date(2024, 1, 31)),
        plain_hours(date(2024, 9, 3), date(2024, 9, 30)),
    ]
    assert per_year(np.concatenate(parts)) == 252 * 7 - 3 * 3
    daily = sessions(date(2024, 1, 1), date(2024, 12, 31)).dates.astype("datetime64[ns]")
    assert per_year(np.r_[daily[:20], daily[120:]]) == pytest.approx(252, rel=3e-2)


def test_a_running_bar_leaves_daily_data_daily() -> None:
    daily = sessions(date(2024, 1, 2), date(2024, 6, 28)).dates.astype("datetime64[ns]")
    running = array(stamps_at(date(2024, 6, 28), "11:47"))
    assert per_year(np.r_[daily, running]) == pytest.approx(252, rel=2e-2)


@settings(max_examples=20, deadline=None)
@given(st.dates(date(1995, 1, 1), date(2029, 12, 31)), st.integers(1, 60))
def test_whole_data_have_the_calendars_count(first: date, count: int) -> None:
    within = sessions(first, first + timedelta(days=365))[:count]
    years = {day.year for day in within.dates.tolist()}
    everything = sessions(date(min(years), 1, 1), date(max(years), 12, 31))
    daily = within.dates.astype("datetime64[ns]")
    assert per_year(daily) == pytest.approx(len(everything) / len(years))


@pytest.mark.parametrize(
    ("stamps", "reason"),
    [
        (
            array(
                [
                    stamp
                    for number, day in enumerate(days(date(2024, 6, 3), date(2024, 6, 7)))
                    for stamp in stamps_at(day, f"10:{7 * number:02}", f"13:{9 * number + 1:02}")
                ]
            ),
            "no times of day on the sessions",
        ),
        (np.array(days(date(2024, 1, 1), date(2024, 6, 30)), "datetime64[ns]"), "not trade on"),
        (
            np.arange("2024-01-01", "2024-03-01", dtype="datetime64[h]").astype("datetime64[ns]"),
            "no times of day on the sessions",
        ),
        (
            np.cumsum(np.tile([3, 11, 40, 2, 90], 9))
            .astype("datetime64[D]")
            .astype("datetime64[ns]")
            + np.timedelta64(12_000, "D"),
            "as far apart as they happen to be",
        ),
    ],
    ids=["no time twice", "every day of the year", "every hour", "now and then"],
)
def test_data_of_no_calendar_are_not_annualised(stamps: Timestamps, reason: str) -> None:
    found = pace(stamps)
    assert found.bars_per_year is None
    assert found.reason.startswith("the data follow no calendar that is known: ")
    assert reason in found.reason


def test_no_bars_are_refused() -> None:
    with pytest.raises(DataError, match="timestamps: there are none"):
        pace(array([]))
