"""Silver: what is in its files, and what makes one due."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from lake.dataset import symbol_status
from lake.errors import EXPECTED
from lake.grain import Grain
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from lake.silver.table import read_bars
from storage.directory import open_directory
from tests.lake.bronze_files import (
    with_value,
    write_bronze,
    write_days,
    write_minutes,
    write_rows,
)
from tests.lake.building import build, contents, due
from trading.bars.intervals import MINUTE_INTERVALS, SESSION_INTERVALS, Interval
from trading.bars.resampling.minutes import resample_minutes
from trading.errors import ParameterError
from trading.instruments import calendar
from trading.instruments.calendar import Sessions, sessions

SILVER, DAYS = SilverDataset(), SilverDaysDataset()
FIRST, LAST = date(2023, 11, 20), date(2023, 12, 8)
"""Fourteen sessions, the half day of 2023-11-24 among them, in two months."""


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    write_minutes(tmp_path, "AAPL", FIRST, LAST)
    return tmp_path


def asked(lake: Path, **more: object) -> SilverRequest:
    return SilverRequest(lake_dir=str(lake), **more)  # type: ignore[arg-type]


def test_a_file_has_the_bars_of_all_intervals_a_row_group_each(lake: Path) -> None:
    build(SILVER, asked(lake))
    file = pq.ParquetFile(lake / "silver/AAPL/20231124.parquet")
    assert [file.read_row_group(i)["interval"].unique().to_pylist() for i in range(8)] == [
        [interval.value] for interval in MINUTE_INTERVALS
    ]
    # Of a close at 13:00, by the table of the definitions.
    assert [file.metadata.row_group(i).num_rows for i in range(8)] == [
        210, 70, 42, 27, 17, 10, 7, 4,
    ]  # fmt: skip
    assert file.schema_arrow.names == [
        "interval", "timestamp", "available_at", "open", "high", "low", "close", "volume", "vwap",
        "trades", "minutes_expected", "minutes_present", "complete",
    ]  # fmt: skip


def test_session_by_session_gives_the_bits_of_everything_at_once(lake: Path) -> None:
    build(SILVER, asked(lake))
    minutes = write_minutes(lake, "AAPL", FIRST, LAST)
    whole = resample_minutes(minutes, sessions(FIRST, LAST))
    directory = open_directory(str(lake), "lake_dir")
    for interval in MINUTE_INTERVALS:
        parts = [
            read_bars(directory, f"silver/AAPL/{file.name}", "silver", "AAPL", interval)[0]
            for file in sorted((lake / "silver/AAPL").iterdir())
        ]
        for name in ("open", "high", "low", "close", "volume", "vwap", "trades"):
            joined = np.concatenate([getattr(part.bars, name) for part in parts])
            assert joined.tobytes() == getattr(whole[interval].bars, name).tobytes()
        ends = np.concatenate([part.available_at for part in parts])
        assert (ends == whole[interval].available_at).all()


def test_one_changed_minute_makes_its_file_due_and_no_other(lake: Path) -> None:
    build(SILVER, asked(lake))
    build(DAYS, asked(lake))
    day = date(2023, 11, 29)
    minutes = write_minutes(lake, "AAPL", day, day)
    assert due(SILVER, asked(lake)) == []  # the same rows again
    inside = int(np.argmax(minutes.timestamps >= sessions(day, day).opens[0])) + 7
    write_bronze(lake, with_value(minutes, inside, high=999.0), "1m", Grain.SESSION)
    assert due(SILVER, asked(lake)) == ["silver/AAPL/20231129.parquet"]
    assert due(DAYS, asked(lake)) == ["silver_days/AAPL/2023.parquet"]


def test_a_corrected_calendar_makes_its_sessions_due(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(SILVER, asked(lake))
    known = calendar.sessions_of_years
    half = np.datetime64("2023-11-28")

    def corrected(first: int, last: int) -> Sessions:
        within = known(first, last)
        closes = within.closes.copy()
        closes[within.dates == half] -= np.timedelta64(3, "h")
        return Sessions(within.dates, within.opens, closes)

    monkeypatch.setattr(calendar, "sessions_of_years", corrected)
    assert build(SILVER, asked(lake)) == ["silver/AAPL/20231128.parquet"]
    file = pq.read_table(lake / "silver/AAPL/20231128.parquet")
    assert file.filter(file["interval"].to_numpy(zero_copy_only=False) == "1m").num_rows == 210


def test_computing_again_gives_the_same_rows(lake: Path) -> None:
    build(SILVER, asked(lake))
    before = contents(lake, "silver")
    again = asked(lake, reprocess=True)
    for key in symbol_status(SILVER, again, "AAPL").due(reprocess=True):
        SILVER.compute(again, key, "another run")
    assert contents(lake, "silver") == before
    assert len(before) == 14


def test_bronze_by_month_makes_files_by_month_that_hold_what_came_by_session(
    tmp_path: Path,
) -> None:
    whole = write_minutes(tmp_path, "AAPL", FIRST, LAST, Grain.MONTH)
    assert build(SILVER, asked(tmp_path)) == [
        "silver/AAPL/2023-11.parquet", "silver/AAPL/2023-12.parquet",
    ]  # fmt: skip
    # A session of the first month is said again, later and otherwise.
    day = date(2023, 11, 29)
    minutes = write_minutes(tmp_path, "AAPL", day, day)
    inside = int(np.argmax(minutes.timestamps >= sessions(day, day).opens[0]))
    write_bronze(tmp_path, with_value(minutes, inside, high=999.0), "1m", Grain.SESSION)
    cut = asked(tmp_path, first=date(2023, 12, 1))
    assert due(SILVER, cut) == []
    assert build(SILVER, asked(tmp_path)) == ["silver/AAPL/2023-11.parquet"]
    directory = open_directory(str(tmp_path), "lake_dir")
    name = "silver/AAPL/2023-11.parquet"
    made, _ = read_bars(directory, name, "silver", "AAPL", Interval.MINUTE)
    at = made.bars.timestamps == minutes.timestamps[inside]
    assert made.bars.high[at].tolist() == [999.0]
    assert np.isin(made.bars.timestamps, whole.timestamps).all()
    # What the month says last counts again.
    write_minutes(tmp_path, "AAPL", date(2023, 11, 20), date(2023, 11, 30), Grain.MONTH)
    build(SILVER, asked(tmp_path))
    made, _ = read_bars(directory, name, "silver", "AAPL", Interval.MINUTE)
    assert made.bars.high[at].tolist() != [999.0]


def test_sources_are_never_guessed_and_never_mixed_in_a_session(tmp_path: Path) -> None:
    day, next_day = date(2023, 11, 29), date(2023, 11, 30)
    minutes = write_minutes(tmp_path, "AAPL", day, next_day)
    first = minutes[minutes.timestamps < np.datetime64("2023-11-30")]
    write_bronze(tmp_path, with_value(first, 350, volume=1.0), "1m", Grain.SESSION, "polygon")
    with pytest.raises(ParameterError, match="polygon, synthetic"):
        due(SILVER, asked(tmp_path))
    build(SILVER, asked(tmp_path, sources=("polygon", "synthetic")))
    made = {
        name: pq.read_table(tmp_path / f"silver/AAPL/{name}.parquet")
        for name in ("20231129", "20231130")
    }
    stamp = first.timestamps[350]
    for table in made.values():
        assert table.num_rows == 716
    rows = made["20231129"].to_pylist()
    volume = next(
        row["volume"] for row in rows
        if row["interval"] == "1m" and np.datetime64(row["timestamp"].replace(tzinfo=None)) == stamp
    )  # fmt: skip
    assert volume == 1.0


def test_bars_over_sessions_are_made_of_daily_bars_where_there_are_any(tmp_path: Path) -> None:
    daily = write_days(tmp_path, "AAPL", date(2022, 10, 3), date(2023, 3, 1))
    write_minutes(tmp_path, "AAPL", date(2023, 2, 27), date(2023, 3, 1))
    assert build(DAYS, asked(tmp_path)) == [
        "silver_days/AAPL/2022.parquet", "silver_days/AAPL/2023.parquet",
    ]  # fmt: skip
    directory = open_directory(str(tmp_path), "lake_dir")
    names = sorted(f"silver_days/AAPL/{f.name}" for f in (tmp_path / "silver_days/AAPL").iterdir())
    for interval in SESSION_INTERVALS:
        parts = [read_bars(directory, n, "silver_days", "AAPL", interval)[0] for n in names]
        total = sum(part.bars.volume.sum() for part in parts)
        assert total == pytest.approx(daily.volume.sum(), rel=1e-12)
        stamps = np.concatenate([part.bars.timestamps for part in parts])
        assert (np.diff(stamps) > np.timedelta64(0)).all()


def test_days_of_the_next_year_leave_a_year_as_it_is_once_its_bars_have_ended(
    tmp_path: Path,
) -> None:
    daily = write_days(tmp_path, "AAPL", date(2022, 10, 3), date(2023, 3, 31))
    early = daily[daily.timestamps < np.datetime64("2023-03-01")]
    write_bronze(tmp_path, early, "1d", Grain.YEAR)
    build(DAYS, asked(tmp_path))
    write_bronze(tmp_path, daily, "1d", Grain.YEAR)
    assert due(DAYS, asked(tmp_path)) == ["silver_days/AAPL/2023.parquet"]
    # A day in the bar of 34 sessions that began in December belongs to both years.
    write_bronze(tmp_path, with_value(daily, 63, close=1.0), "1d", Grain.YEAR)
    assert due(DAYS, asked(tmp_path)) == [
        "silver_days/AAPL/2022.parquet", "silver_days/AAPL/2023.parquet",
    ]  # fmt: skip


def test_a_session_that_is_not_over_makes_no_daily_bar(lake: Path) -> None:
    noon = datetime(2023, 12, 8, 17, tzinfo=UTC)
    build(DAYS, asked(lake, as_of=noon))
    table = pq.read_table(lake / "silver_days/AAPL/2023.parquet")
    assert table["interval"].to_pylist().count("1d") == 13
    assert due(DAYS, asked(lake, as_of=noon.replace(hour=22))) == ["silver_days/AAPL/2023.parquet"]


def test_what_cannot_be_used_is_refused_in_a_sentence(lake: Path) -> None:
    with pytest.raises(ParameterError, match="symbols='MSFT' is not a symbol that bronze has"):
        SILVER.symbols(asked(lake, symbols=("MSFT",)))
    with pytest.raises(ParameterError, match="any bronze"):
        SILVER.symbols(asked(lake / "nothing"))
    with pytest.raises(ParameterError, match="the file of a partition of AAPL"):
        due(SILVER, asked(lake, only=frozenset({"silver/AAPL/20231125.parquet"})))
    minutes = write_minutes(lake, "AAPL", LAST, LAST)
    write_rows(lake, "bronze/synthetic/1m/AAPL/all.parquet", minutes)
    with pytest.raises(EXPECTED, match="its name is no session"):
        due(SILVER, asked(lake))
