"""The lake as the main pipeline's source: its three files from the closes of bronze."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import pytest

from adapters.market_data.protocol import CloseInterval, ClosePrices, SourceError
from adapters.market_data.synthetic_bars import SyntheticBarSource
from lake.bronze.records import GapRecord, write_gaps
from lake.compaction.compacting import MonthState, compact
from lake.market.ingestion import IngestionError, IngestionSummary, ingest
from lake.market.ingestion.lake_source import LakeSource
from lake.market.inputs import MarketData
from lake.reference.tables import write_actions
from storage.directory import open_directory
from tests.lake.bronze.deliveries import Lake
from trading.bars.intervals import Interval
from trading.bars.quality.gaps import GapReason, SessionGap
from trading.bars.synthetic_minutes import synthetic_minutes
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.calendar import sessions
from trading.instruments.clock import NEW_YORK

FIRST, LAST = date(2024, 7, 1), date(2024, 7, 5)
"""The 3rd closed at 13:00, and the 4th is no session."""

NOW = datetime(2024, 9, 2, 12, tzinfo=UTC)
SYMBOLS = ("AAPL", "^VIX", "^GSPC")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def fill(lake: Lake, interval: Interval = Interval.MINUTE) -> None:
    request = lake.request("synthetic", interval, first=FIRST, last=LAST, symbols=SYMBOLS)
    lake.ingest(SyntheticBarSource(), request, NOW)


def source(lake: Lake, *sources: str) -> LakeSource:
    return LakeSource(lake.directory, sources, lambda: NOW)


def run(lake: Lake, folder: Path, interval: CloseInterval) -> IngestionSummary:
    return ingest(source(lake), ["AAPL"], FIRST, LAST, interval, str(folder), NOW)


def closes(lake: Lake, interval: CloseInterval, *sources: str) -> ClosePrices:
    ends = [datetime.combine(day, time(), NEW_YORK) for day in (FIRST, LAST + timedelta(days=1))]
    return source(lake, *sources).close_prices("AAPL", ends[0], ends[1], interval)


def last_minutes(hours: bool) -> dict[np.datetime64, float]:  # noqa: FBT001 - which of two oracles
    """By plain loops: the last minute's close of each hour, or session, by its start."""
    bars = synthetic_minutes("AAPL", FIRST, LAST)
    found: dict[np.datetime64, float] = {}
    within = sessions(FIRST, LAST)
    for opened, closed in zip(within.opens, within.closes, strict=True):
        for stamp, close in zip(bars.timestamps, bars.close, strict=True):
            if opened <= stamp < closed:
                number = (stamp - opened) // np.timedelta64(1, "h")
                day = opened - np.timedelta64(9 * 60 + 30, "m")
                found[opened + number * np.timedelta64(1, "h") if hours else day] = close
    return found


@pytest.mark.parametrize("interval", list(CloseInterval))
def test_the_three_files_are_made_of_the_last_minutes(
    lake: Lake, tmp_path: Path, interval: CloseInterval
) -> None:
    fill(lake)
    summary = run(lake, tmp_path / "input", interval)
    expected = last_minutes(interval is CloseInterval.HOUR)
    assert len(expected) == (7 + 7 + 4 + 7 if interval is CloseInterval.HOUR else 4)
    data = MarketData(open_directory(str(tmp_path / "input"), "input_dir"))
    assert data.timestamps().tolist() == [stamp.item() for stamp in expected]
    assert data.prices.values("AAPL", 0, data.rows).tolist() == list(expected.values())
    assert summary.source == "lake"
    assert (summary.vix.rows, summary.spx.rows) == (len(expected), len(expected))
    assert run(lake, tmp_path / "input", interval).files == ()


def test_daily_bars_count_where_the_lake_has_them(lake: Lake) -> None:
    fill(lake, Interval.DAY)
    days = closes(lake, CloseInterval.DAY)
    [stamp] = set(days.timestamps[:1].tolist())
    assert datetime.fromtimestamp(stamp / 1e9, NEW_YORK).time() == time()
    fill(lake)
    np.testing.assert_array_equal(closes(lake, CloseInterval.DAY).close, days.close)


@pytest.mark.parametrize("interval", list(CloseInterval))
def test_months_in_one_file_have_the_closes_of_their_sessions(
    lake: Lake, interval: CloseInterval
) -> None:
    fill(lake)
    before = closes(lake, interval)
    assert {one.state for one in compact(lake.directory, NOW, grace=timedelta(0))} == {
        MonthState.DONE
    }
    after = closes(lake, interval)
    np.testing.assert_array_equal(after.timestamps, before.timestamps)
    np.testing.assert_array_equal(after.close, before.close)


def test_closes_are_adjusted_for_splits_that_have_happened(lake: Lake) -> None:
    fill(lake)
    raw = closes(lake, CloseInterval.DAY).close
    split = CorporateAction(
        symbol="AAPL", kind=ActionKind.SPLIT, ex_date=date(2024, 7, 3), value=4.0
    )
    dividend = replace(split, kind=ActionKind.DIVIDEND, value=0.25)
    later = replace(split, ex_date=date(2024, 12, 2), value=10.0)
    write_actions(lake.directory, [split, dividend, later])
    found = closes(lake, CloseInterval.DAY).close
    np.testing.assert_array_equal(found, raw / [4.0, 4.0, 1.0, 1.0])


def test_a_session_of_which_minutes_are_wanted_is_left_out(lake: Lake) -> None:
    """Otherwise an hour's close would be that of another minute."""
    fill(lake)
    request = lake.request("synthetic", first=FIRST, last=LAST, symbols=SYMBOLS)
    key = lake.due(request, NOW - timedelta(days=58))[1]
    gap = SessionGap(date(2024, 7, 2), 390, 380, (("10:20", "10:29"),), GapReason.NOT_SERVED)
    assert key.stretch.first == gap.session
    write_gaps(lake.directory, GapRecord(key, (gap,)))
    found = closes(lake, CloseInterval.DAY)
    dates = [datetime.fromtimestamp(s / 1e9, NEW_YORK).date() for s in found.timestamps.tolist()]
    assert dates == [date(2024, 7, 1), date(2024, 7, 3), date(2024, 7, 5)]


def test_what_the_lake_lacks_is_told_with_the_command_that_fetches_it(
    lake: Lake, tmp_path: Path
) -> None:
    request = lake.request("synthetic", first=FIRST, last=LAST)
    lake.ingest(SyntheticBarSource(), request, NOW)
    with pytest.raises(
        IngestionError, match=r"trading lake ingest --symbols '\^VIX' --interval 1h"
    ):
        run(lake, tmp_path / "input", CloseInterval.HOUR)
    assert not list((tmp_path / "input").glob("*.parquet"))


def test_of_several_sources_the_first_one_named_counts(lake: Lake) -> None:
    fill(lake)
    folder = lake.folder / "bronze"
    (folder / "synthetic").rename(folder / "polygon")
    fill(lake)
    with pytest.raises(SourceError, match=r"the lake has bars from polygon,synthetic"):
        closes(lake, CloseInterval.DAY)
    assert len(closes(lake, CloseInterval.DAY, "polygon", "synthetic")) == 4
