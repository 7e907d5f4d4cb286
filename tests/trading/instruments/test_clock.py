from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trading.errors import ParameterError
from trading.instruments.clock import (
    exchange_date,
    local_times,
    midnight,
    midnights,
    moment_of,
    nanoseconds_of,
    parse_timestamp,
    to_datetime,
    to_datetime64,
)

NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-02T09:30:00-05:00",
        "2024-01-02 09:30-05:00",
        "2024-01-02T14:30:00Z",
        "20240102T143000Z",
        "2024-01-02T15:30:00+01:00",
        datetime(2024, 1, 2, 14, 30, tzinfo=UTC),
        datetime(2024, 1, 2, 9, 30, tzinfo=NEW_YORK),
    ],
)
def test_every_aware_form_of_an_instant_is_that_instant(value: str | datetime) -> None:
    assert parse_timestamp(value).isoformat() == "2024-01-02T09:30:00-05:00"


@pytest.mark.parametrize(
    ("naive", "aware"),
    [
        ("2024-01-02T09:30:00", "2024-01-02T09:30:00-05:00"),
        ("2024-07-02 09:30", "2024-07-02T09:30:00-04:00"),
        ("2024-01-02", "2024-01-02T00:00:00-05:00"),
        (datetime(2024, 1, 2, 9, 30), "2024-01-02T09:30:00-05:00"),  # noqa: DTZ001 - the naive case
    ],
)
def test_a_naive_timestamp_is_refused_with_its_aware_form(
    naive: str | datetime, aware: str
) -> None:
    with pytest.raises(ParameterError, match="is not time-zone aware") as error:
        parse_timestamp(naive)
    assert aware in error.value.next_step
    assert parse_timestamp(aware).tzinfo is not None


@pytest.mark.parametrize("value", ["", "yesterday", "09:30", None, 7, 1.5, b"2024", "x" * 10**7])
def test_what_is_no_timestamp_is_refused_briefly(value: Any) -> None:
    with pytest.raises(ParameterError, match="is not an ISO 8601 timestamp") as error:
        parse_timestamp(value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1677-01-01T00:00:00Z",
        "2262-06-01T00:00:00Z",
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
        datetime.min,  # noqa: DTZ901 - the year counts before the missing zone does
    ],
)
def test_years_out_of_range_are_refused(value: str | datetime) -> None:
    with pytest.raises(ParameterError, match="in the years 1900 to 2200"):
        parse_timestamp(value)


@settings(max_examples=80)
@given(st.datetimes(datetime(1900, 1, 2), datetime(2200, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis adds the zone
@example(datetime(1999, 10, 31, 5, tzinfo=UTC))
def test_numpy_and_datetime_name_the_same_instant(moment: datetime) -> None:
    # In UTC: between two zones, Python calls no two times of a repeated hour equal (PEP 495).
    assert to_datetime(to_datetime64(moment)).astimezone(UTC) == moment
    assert to_datetime(to_datetime64(moment)).utcoffset() == moment.astimezone(NEW_YORK).utcoffset()
    assert nanoseconds_of(moment) == to_datetime64(moment).astype(np.int64)
    assert moment_of(nanoseconds_of(moment)) == moment


@given(st.dates(date(1960, 1, 1), date(2060, 1, 1)))
def test_a_date_begins_at_its_midnight_in_new_york(day: date) -> None:
    begin = midnight(day)
    assert begin == to_datetime(midnights(np.array([day], "datetime64[D]"))[0])
    assert exchange_date(nanoseconds_of(begin)) == day
    assert exchange_date(nanoseconds_of(begin) - 1) == day - timedelta(days=1)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.datetimes(datetime(1900, 1, 2), datetime(2150, 1, 1)), max_size=20))  # noqa: DTZ001 - UTC below
def test_local_times_are_those_of_the_zone(moments: list[datetime]) -> None:
    moments = [moment.replace(microsecond=0, tzinfo=UTC) for moment in moments]
    stamps = np.array([to_datetime64(moment) for moment in moments], "datetime64[ns]")
    expected = [moment.astimezone(NEW_YORK).replace(tzinfo=None) for moment in moments]
    assert local_times(stamps).tolist() == expected


@pytest.mark.parametrize("change", ["2024-03-10T07:00", "2024-11-03T06:00", "1974-01-06T07:00"])
def test_local_times_are_right_to_the_second_around_a_change_of_clocks(change: str) -> None:
    stamps = np.datetime64(change, "ns") + np.arange(-2, 3).astype("timedelta64[s]")
    expected = [to_datetime(stamp).replace(tzinfo=None) for stamp in stamps]
    assert local_times(stamps).tolist() == expected
    steps = np.diff(local_times(stamps).astype(np.int64))
    assert abs(steps[1]) > 1_000, "the clock does change there"
