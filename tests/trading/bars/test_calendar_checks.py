from __future__ import annotations

import dataclasses
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from lake.market.validation import validate
from tests.markets import random_market
from trading.arrays import Timestamps
from trading.bars.quality.findings import CheckResult, Status
from trading.instruments.calendar import hourly_bars, sessions


def _check(stamps: Timestamps, folder: Path, name: str) -> CheckResult:
    report = validate(random_market(stamps).write(folder))
    return next(check for check in report.checks if check.check == name)


def _stamps(first: date, last: date) -> Timestamps:
    return hourly_bars(sessions(first, last))


NOVEMBER = (date(2024, 11, 25), date(2024, 12, 3))
"""Thanksgiving on the 28th, an early close on the 29th; a Monday to the Tuesday after it."""


def test_a_missing_bar_is_named_with_its_time(tmp_path: Path) -> None:
    stamps = _stamps(*NOVEMBER)
    gone = np.datetime64("2024-11-26T16:30", "ns")
    result = _check(stamps[stamps != gone], tmp_path, "missing_bars")
    assert (result.status, result.count) == (Status.WARN, 1)
    assert (result.findings[0].source, result.findings[0].timestamp) == (
        "XNYS",
        "2024-11-26T16:30:00Z",
    )


def test_neither_the_first_nor_the_last_session_need_be_whole(tmp_path: Path) -> None:
    result = _check(_stamps(*NOVEMBER)[3:-2], tmp_path, "missing_bars")
    assert result.status is Status.PASS


def test_a_session_that_is_missing_whole_is_not_missing_bars_as_well(tmp_path: Path) -> None:
    stamps = _stamps(*NOVEMBER)
    early_close = stamps.astype("datetime64[D]") == np.datetime64("2024-11-29")
    assert 0 < early_close.sum() < 8
    assert _check(stamps[~early_close], tmp_path, "missing_bars").status is Status.PASS
    result = _check(stamps[~early_close], tmp_path, "missing_sessions")
    assert [finding.timestamp for finding in result.findings] == ["2024-11-29T14:30:00Z"]


def test_bars_after_an_early_close_and_on_a_holiday_are_off_session(tmp_path: Path) -> None:
    stamps = _stamps(*NOVEMBER)
    late, holiday = np.datetime64("2024-11-29T18:30", "ns"), np.datetime64("2024-11-28T15:30", "ns")
    result = _check(np.sort([*stamps, late, holiday]), tmp_path, "off_session_bars")
    assert [finding.timestamp for finding in result.findings] == [
        "2024-11-28T15:30:00Z",
        "2024-11-29T18:30:00Z",
    ]


def test_clock_changes_move_no_bar(tmp_path: Path) -> None:
    for change in (date(2024, 3, 10), date(2024, 11, 3)):
        stamps = _stamps(change.replace(day=1), change.replace(day=20))
        for name in ("missing_sessions", "missing_bars", "off_session_bars"):
            assert _check(stamps, tmp_path / str(change) / name, name).status is Status.PASS


def test_daily_bars_are_of_their_date_whatever_their_time(tmp_path: Path) -> None:
    within = sessions(date(2024, 3, 1), date(2024, 3, 28))
    midnights = within.dates.astype("datetime64[ns]")
    for stamps in (midnights, within.opens, within.closes, within.opens - np.timedelta64(5, "h")):
        for name in ("missing_sessions", "missing_bars", "off_session_bars"):
            folder = tmp_path / str(stamps[0]) / name
            assert _check(stamps, folder, name).status is Status.PASS
    result = _check(np.delete(midnights, 5), tmp_path / "gap", "missing_sessions")
    assert [finding.timestamp for finding in result.findings] == ["2024-03-08T14:30:00Z"]


def test_what_is_out_of_order_is_not_held_against_the_calendar(tmp_path: Path) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - this test alone breaks a file

    from lake.market.inputs import PRICES_FILE  # noqa: PLC0415 - as above

    random_market(_stamps(*NOVEMBER)).write(tmp_path)
    table = pq.read_table(tmp_path / PRICES_FILE)
    pq.write_table(table.take([1, 0, *range(2, table.num_rows)]), tmp_path / PRICES_FILE)
    report = validate(str(tmp_path))
    calendar = {"missing_sessions", "missing_bars", "off_session_bars", "unadjusted_splits"}
    statuses = {check.status for check in report.checks if check.check in calendar}
    assert statuses == {Status.INSUFFICIENT}


@pytest.mark.parametrize("weekday", range(7))
def test_weekly_bars_may_be_stamped_on_any_day(tmp_path: Path, weekday: int) -> None:
    weeks = np.datetime64("2024-01-01", "ns") + np.arange(30) * np.timedelta64(7, "D")
    for name in ("missing_sessions", "missing_bars", "off_session_bars"):
        result = _check(weeks + np.timedelta64(weekday, "D"), tmp_path / name, name)
        assert result.status is Status.PASS


def test_a_running_bar_makes_no_intraday_data_of_daily_ones(tmp_path: Path) -> None:
    daily = sessions(date(2024, 3, 1), date(2024, 3, 28)).dates.astype("datetime64[ns]")
    running = np.datetime64("2024-03-28T15:07", "ns")
    for name in ("missing_sessions", "missing_bars", "off_session_bars"):
        assert _check(np.r_[daily, running], tmp_path / name, name).status is Status.PASS


DAYS = sessions(date(2024, 3, 4), date(2024, 3, 15))
"""With a change of clocks between the two weeks."""


def _look_ahead(folder: Path, stamps: Timestamps, vix_stamps: Timestamps) -> CheckResult:
    market = random_market(stamps, contracts=1)
    known = np.linspace(13, 17, len(vix_stamps))
    written = dataclasses.replace(market, vix_timestamps=vix_stamps, vix=known).write(folder)
    report = validate(written)
    return next(check for check in report.checks if check.check == "vix_look_ahead")


@pytest.mark.parametrize(
    "start",
    [DAYS.dates.astype("datetime64[ns]"), DAYS.opens - np.timedelta64(570, "m"), DAYS.opens],
    ids=["midnight UTC", "midnight in New York", "the open"],
)
def test_a_daily_vix_stamped_at_the_start_of_its_day_looks_ahead(
    tmp_path: Path, start: Timestamps
) -> None:
    hours = hourly_bars(DAYS)
    result = _look_ahead(tmp_path, hours, start)
    # All bars but those at the closes themselves.
    assert (result.status, result.count) == (Status.WARN, len(hours) - len(DAYS))
    assert result.findings[0].timestamp == "2024-03-04T14:30:00Z"
    assert "known at its close: stamp it with the close" in result.message


def test_a_vix_that_was_known_does_not_look_ahead(tmp_path: Path) -> None:
    hours = hourly_bars(DAYS)
    quarter = np.timedelta64(15, "m")
    assert _look_ahead(tmp_path / "a", hours, DAYS.closes + quarter).status is Status.PASS
    assert _look_ahead(tmp_path / "b", hours, DAYS.closes).status is Status.PASS
    assert _look_ahead(tmp_path / "c", hours, hours - quarter).status is Status.PASS
    # Close beside close: the signal of a day is made at its end.
    midnights = DAYS.dates.astype("datetime64[ns]")
    assert _look_ahead(tmp_path / "d", midnights, midnights).status is Status.PASS
