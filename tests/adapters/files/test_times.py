"""When the bars of a file are: understood, or refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from adapters.market_data.protocol import SourceError
from tests.adapters.files.conftest import (
    END,
    HEAD,
    OPEN,
    STAMPS,
    VALUES,
    assert_the_three_minutes,
    lines,
    read,
    source_of,
    write,
)
from trading.bars.intervals import Interval
from trading.errors import DataError, ParameterError
from trading.instruments.clock import NEW_YORK


def epoch(factor: int) -> Callable[[datetime], str]:
    return lambda stamp: str(int(stamp.timestamp()) * factor)


@pytest.mark.parametrize(
    "write_time",
    [
        epoch(1),
        epoch(1_000),
        epoch(1_000_000),
        epoch(1_000_000_000),
        lambda stamp: stamp.isoformat(),
        lambda stamp: stamp.isoformat().replace("+00:00", "Z"),
        lambda stamp: stamp.astimezone(NEW_YORK).isoformat(),
        lambda stamp: stamp.astimezone(ZoneInfo("Asia/Tokyo")).isoformat(" "),
        lambda stamp: stamp.strftime(" %Y-%m-%d %H:%M:%S.000+0000 "),
    ],
)
@pytest.mark.parametrize("column", ["timestamp", "Date", "t", "TS", "window_start", "Date Time"])
def test_times_are_understood_whatever_they_are_called_and_written_in(
    tmp_path: Path, write_time: Callable[[datetime], str], column: str
) -> None:
    write(tmp_path, lines([write_time(s) for s in STAMPS], HEAD.replace("timestamp", column)))
    assert_the_three_minutes(read(tmp_path))


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_separators_and_byte_order_marks_are_understood(
    tmp_path: Path, separator: str, mark: str
) -> None:
    write(tmp_path, mark + lines([s.isoformat() for s in STAMPS], separator=separator))
    assert_the_three_minutes(read(tmp_path))


def test_times_without_a_zone_need_a_named_one(tmp_path: Path) -> None:
    local = [s.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M") for s in STAMPS]
    write(tmp_path, lines(local))
    with pytest.raises(ParameterError) as raised:
        read(tmp_path)
    assert raised.value.parameter == "timezone"
    assert "AAPL.csv name none; pass the one in which they are" in str(raised.value)
    assert_the_three_minutes(read(tmp_path, timezone="America/New_York"))
    later = read(tmp_path, timezone="America/Chicago").timestamps[0]
    assert later == np.datetime64("2024-07-01T14:30")


def test_a_zone_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="timezone='Mars/Base' is not a time zone's name"):
        source_of(tmp_path, "Mars/Base")


def test_date_and_time_may_stand_apart(tmp_path: Path) -> None:
    local = [s.astimezone(NEW_YORK).strftime("%Y-%m-%d,%H:%M:%S") for s in STAMPS]
    write(tmp_path, lines(local, HEAD.replace("timestamp", "date,time")))
    assert_the_three_minutes(read(tmp_path, timezone="America/New_York"))


@pytest.mark.parametrize("local", ["2024-11-03 01:30", "2024-03-10 02:30"])
def test_times_that_occur_twice_or_never_are_refused(tmp_path: Path, local: str) -> None:
    write(tmp_path, f"{HEAD}\n{local},{VALUES[0]}\n")
    with pytest.raises(DataError, match="the clocks of America/New_York change"):
        read(tmp_path, timezone="America/New_York")


@pytest.mark.parametrize("day", [date(2024, 3, 8), date(2024, 3, 11), date(2024, 11, 4)])
def test_local_times_follow_the_change_of_the_clock(tmp_path: Path, day: date) -> None:
    write(tmp_path, f"{HEAD}\n{day.isoformat()}T09:30,{VALUES[0]}\n")
    (stamp,) = read(tmp_path, timezone="America/New_York").timestamps
    expected = datetime(day.year, day.month, day.day, 9, 30, tzinfo=NEW_YORK).astimezone(UTC)
    assert stamp == np.datetime64(expected.replace(tzinfo=None))


@pytest.mark.parametrize(
    "write_day",
    [
        lambda day: day.isoformat(),
        lambda day: day.strftime("%Y/%m/%d"),
        lambda day: day.strftime("%Y%m%d"),
        lambda day: f"{day.isoformat()} 00:00:00",
        lambda day: f"{day.isoformat()}T00:00:00Z",
        lambda day: f"{day.isoformat()}T00:00:00-05:00",
        lambda day: f"{day.isoformat()}T09:30:00-05:00",
        lambda day: str(int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())),
    ],
)
def test_days_begin_at_midnight_in_new_york(
    tmp_path: Path, write_day: Callable[[date], str]
) -> None:
    days = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
    write(tmp_path, lines([write_day(day) for day in days]))
    stamps = read(tmp_path, Interval.DAY).timestamps
    assert [str(s)[:16] for s in stamps] == [f"{day.isoformat()}T05:00" for day in days]


def test_an_old_history_in_milliseconds_has_negative_times(tmp_path: Path) -> None:
    days = [date(1962, 1, 2), date(1970, 1, 2), date(2024, 1, 4)]
    midnights = [datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp() for d in days]
    write(tmp_path, lines([str(int(seconds) * 1000) for seconds in midnights]))
    early = datetime(1950, 1, 1, tzinfo=NEW_YORK)
    stamps = source_of(tmp_path).bars("AAPL", Interval.DAY, early, END).bars.timestamps
    assert [str(s)[:10] for s in stamps] == [day.isoformat() for day in days]


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["01/02/2024", "01/03/2024", "01/04/2024"], "'01/02/2024' can be read in more than one"),
        (["2024-01-02", "2024-01-03T09:30", "2024-01-04"], "written in different ways"),
        (["1704153600", "1704153660000", "1704153720000"], "of different units"),
        (["2024-01-02T09:30:00Z", "", "2024-01-02T09:32:00Z"], "a row has no time"),
        (["2024-02-30T09:30:00Z"] * 3, "does not exist"),
        (["2024-01-02", "2024-01-03", "2024-01-04"], "it has dates, no times"),
        (["2024-01-02T09:30:30Z"] * 3, "not all on the full minute"),
        (["2024-01-02T09:30:00Z", "2024-01-02T09:30:30Z", "2024-01-02T09:31:00Z"], "full minute"),
        (["1704153600.5"] * 3, "can be read in more than one way, or in none"),
    ],
)
def test_times_that_cannot_be_told_are_refused(
    tmp_path: Path, times: list[str], words: str
) -> None:
    write(tmp_path, lines(times))
    with pytest.raises(DataError, match=words) as raised:
        read(tmp_path)
    assert str(raised.value).startswith(str(tmp_path / "AAPL.csv"))
    assert "\n" not in str(raised.value)


def rows(stamps: list[str]) -> str:
    return "\n".join([HEAD, *(f"{stamp},{VALUES[0]}" for stamp in stamps), ""])


def test_a_file_of_another_interval_is_refused(tmp_path: Path) -> None:
    five = [(OPEN + timedelta(minutes=5 * i)).isoformat() for i in range(12)]
    write(tmp_path, rows(five))
    with pytest.raises(DataError, match="5 minutes apart, and 1m bars were asked for"):
        read(tmp_path)
    with pytest.raises(DataError, match="5 minutes apart, and 1h bars were asked for"):
        read(tmp_path, Interval.HOUR)
    with pytest.raises(DataError, match="several bars a day"):
        read(tmp_path, Interval.DAY)
    with pytest.raises(SourceError, match="files has no 5m bars"):
        read(tmp_path, Interval.MINUTES_5)
    write(tmp_path, rows([(OPEN + timedelta(hours=i)).isoformat() for i in range(12)]))
    assert len(read(tmp_path, Interval.HOUR)) == 12


def test_days_at_different_midnights_are_refused(tmp_path: Path) -> None:
    write(tmp_path, rows(["2024-01-02T00:00:00Z", "2024-01-03T05:00:00Z"]))
    with pytest.raises(DataError, match="some of its days begin at midnight UTC"):
        read(tmp_path, Interval.DAY)
