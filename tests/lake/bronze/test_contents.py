"""What readers find in the lake, and what its sessions say of each other."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from bokeh_sampledata import stocks

from adapters.market_data.files.source import FileSource
from adapters.market_data.synthetic_bars import SyntheticBarSource
from lake.bronze.contents import (
    Series,
    check_sessions,
    gap_records,
    read_range,
    read_session_prices,
    stored_series,
)
from lake.grain import Grain
from lake.reference.tables import write_actions
from storage.directory import open_directory
from tests.lake.bronze.deliveries import DAY, Lake, deliver, minutes, rows_of
from trading.bars.intervals import Interval
from trading.bars.model import VALUES
from trading.bars.synthetic_minutes import synthetic_days, synthetic_minutes
from trading.instruments.actions import ActionKind, CorporateAction

FIRST, LAST = date(2023, 12, 20), date(2024, 1, 12)


@pytest.mark.parametrize("grain", [Grain.SESSION, Grain.MONTH])
def test_a_range_is_read_whole_whatever_its_files_cover(lake: Lake, grain: Grain) -> None:
    lake.ingest(
        SyntheticBarSource(), lake.request("synthetic", first=FIRST, last=LAST, grain=grain)
    )
    series = Series("synthetic", Interval.MINUTE, "AAPL")
    bars = read_range(lake.directory, series, date(2023, 12, 28), date(2024, 1, 3))
    expected = synthetic_minutes("AAPL", date(2023, 12, 28), date(2024, 1, 3))
    assert bars.timestamps.tolist() == expected.timestamps.tolist()
    for name in VALUES:
        assert np.array_equal(getattr(bars, name), getattr(expected, name), equal_nan=True)


def test_what_a_footer_says_of_its_sessions_is_what_the_rows_come_to(lake: Lake) -> None:
    lake.ingest(SyntheticBarSource(), lake.request("synthetic", first=FIRST, last=LAST))
    series = Series("synthetic", Interval.MINUTE, "AAPL")
    prices = read_session_prices(lake.directory, series, FIRST, LAST)
    days = synthetic_days("AAPL", FIRST, LAST)
    assert prices.dates.tolist() == [s.astype("datetime64[D]").item() for s in days.timestamps]
    assert prices.open.tolist() == days.open.tolist()
    assert prices.close.tolist() == days.close.tolist()
    assert prices.volume.tolist() == days.volume.tolist()


def test_the_series_of_a_lake_are_listed(lake: Lake) -> None:
    assert stored_series(str(lake.folder)) == []
    lake.ingest(SyntheticBarSource(), lake.request("synthetic", symbols=("MSFT", "AAPL")))
    lake.ingest(SyntheticBarSource(), lake.request("synthetic", Interval.DAY))
    assert stored_series(str(lake.folder)) == [
        Series("synthetic", Interval.DAY, "AAPL"),
        Series("synthetic", Interval.MINUTE, "AAPL"),
        Series("synthetic", Interval.MINUTE, "MSFT"),
    ]


def test_open_gaps_are_listed_by_symbol_and_session(lake: Lake, tmp_path: Path) -> None:
    rows = minutes(last=date(2024, 1, 4))
    lake.ingest(deliver(tmp_path / "in", rows[:300]), lake.request(last=date(2024, 1, 4)))
    series = [Series("files", Interval.MINUTE, "AAPL")]
    found = list(gap_records(lake.directory, series, DAY, date(2024, 1, 4)))
    assert [record.key.stretch.stem for record in found] == ["20240103", "20240104"]
    assert [gap.present for record in found for gap in record.gaps][1] == 0
    assert list(gap_records(lake.directory, series, date(2024, 1, 5), date(2024, 1, 31))) == []


def test_minutes_and_the_daily_bar_are_held_against_each_other(lake: Lake, tmp_path: Path) -> None:
    rows = minutes()
    days = rows_of(synthetic_days("AAPL", DAY, DAY))
    lake.ingest(deliver(tmp_path / "minutes", rows), lake.request())
    lake.ingest(deliver(tmp_path / "days", days), lake.request(interval=Interval.DAY))
    of_minutes, of_days = (Series("files", i, "AAPL") for i in (Interval.MINUTE, Interval.DAY))
    assert check_sessions(lake.directory, of_minutes, DAY, DAY) == ()
    days[0]["volume"] *= 1.5
    lake.compute(deliver(tmp_path / "days", days), lake.request(interval=Interval.DAY))
    for series in (of_minutes, of_days):
        (check,) = check_sessions(lake.directory, series, DAY, DAY)
        assert check.check == "volume_sums"


def aapl(folder: Path) -> list[str]:
    """AAPL 2000-2013 as a vendor delivers it: raw daily bars beside adjusted closes."""
    data = stocks.AAPL
    names = ("date", "open", "high", "low", "close", "volume", "adj_close")
    rows = zip(*(data[name] for name in names), strict=True)  # type: ignore[literal-required]
    lines = [",".join(names), *(",".join(map(str, row)) for row in rows)]
    folder.mkdir()
    (folder / "AAPL.csv").write_text("\n".join(lines) + "\n")
    return list(data["date"])


def test_apples_fall_of_2000_is_reported_and_not_split(lake: Lake, tmp_path: Path) -> None:
    """AAPL fell 52 % on 2000-09-29 without a split, and was split two for one twice."""
    dates = aapl(tmp_path / "in")
    source = FileSource(open_directory(str(tmp_path / "in"), "from"))
    request = lake.request(
        interval=Interval.DAY, first=date(2000, 3, 1), last=date(2013, 3, 1), grain=Grain.YEAR
    )
    summaries = lake.ingest(source, request, datetime(2024, 6, 3, tzinfo=UTC))
    assert sum(summary.rows for summary in summaries) == len(dates)
    series = Series("files", Interval.DAY, "AAPL")
    (check,) = check_sessions(lake.directory, series, request.first, request.last)
    assert [f.timestamp for f in check.findings] == ["2000-06-21", "2000-09-29", "2005-02-28"]
    assert "-51.9%" in check.findings[1].detail
    bars = read_range(lake.directory, series, request.first, request.last)
    assert bars.close.tolist() == stocks.AAPL["close"], "raw, and nothing is split"

    splits = [
        CorporateAction(symbol="AAPL", kind=ActionKind.SPLIT, ex_date=day, value=2.0)
        for day in (date(2000, 6, 21), date(2005, 2, 28))
    ]
    write_actions(lake.directory, splits)
    (check,) = check_sessions(lake.directory, series, request.first, request.last)
    assert [f.timestamp for f in check.findings] == ["2000-09-29"]
    again = read_range(lake.directory, series, request.first, request.last)
    assert again.close.tolist() == stocks.AAPL["close"]
