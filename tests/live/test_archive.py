from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from database.connection import Database
from database.live.bars import live_bars
from lake.bronze.contents import Series, read_range
from lake.bronze.keys import BronzeKey, Stretch
from lake.bronze.rows import write_bars
from lake.bronze.sittings import Sittings
from lake.errors import EXPECTED
from lake.folders import LIVE
from lake.grain import Grain
from lake.reading import read
from live.archive import archive_session
from live.bus.redis_streams.bus import RedisBus
from live.differences import NOT_IN_SOURCE, NOT_LIVE, live_differences
from live.stream.source import time_tick
from live.windows import Windows
from storage.directory import Directory, open_directory
from tests.lake.bronze_files import with_value
from tests.live.logs import DAY, MINUTE, hours
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.events import Stream, Tick, WholeMinute

START, END = datetime(2024, 7, 3, tzinfo=UTC), datetime(2024, 7, 4, tzinfo=UTC)
OPEN, CLOSE = hours()


@pytest.fixture
def lake(tmp_path: Path) -> Directory:
    return open_directory(str(tmp_path / "lake"), "lake_dir")


def whole(symbol: str, minute: int, close: float) -> Tick:
    told = WholeMinute(10.0, 15.0, 9.0, close, 100.0, 10.5, 7.0)
    return Tick(symbol, OPEN + minute * MINUTE, close, 100.0, 1, minute=told)


def session_log() -> list[Tick]:
    """Three minutes of two symbols and the end of their session."""
    log = [time_tick(OPEN), *(whole(s, m, 11.0 + m) for s in ("A", "B") for m in range(3))]
    return [*log, time_tick(CLOSE + 10 * MINUTE), time_tick(CLOSE + 60 * MINUTE)]


def session(bus: RedisBus, database: Database, lake: Directory) -> list[date]:
    """Tell three minutes of two symbols and the end of their session, and archive it."""
    over: list[date] = []

    def session_over(day: date) -> None:
        over.append(day)
        archive_session(database, lake, day)

    bus.publish_many(Stream.TICKS, [(tick.symbol, tick) for tick in session_log()])
    windows = Windows(bus, database, session_over=session_over)
    while windows.step(0):
        pass
    return over


def write_source(lake: Directory, source: str, bars: Bars) -> None:
    """What the evening brings, as bronze keeps it."""
    key = BronzeKey(bars.symbol, Stretch(DAY, Grain.SESSION), Interval.MINUTE, source)
    prices = Sittings.of(key, END, None).prices(bars)
    write_bars(lake, key, bars, sessions=prices, revision=0, flow_run_id="")


def test_a_session_that_is_over_goes_into_the_lake_once(
    bus_url: str, database: Database, lake: Directory
) -> None:
    with RedisBus(bus_url) as bus:
        assert session(bus, database, lake) == [DAY]
    for symbol in ("A", "B"):
        bars = read_range(lake, Series(LIVE, Interval.MINUTE, symbol), DAY, DAY)
        said = live_bars(database, "1m", START, END, [symbol])
        assert len(said) == 3
        for name in VALUES:
            assert getattr(bars, name).tolist() == [getattr(bar, name) for bar in said]
    names = lake.list_files("bronze/live/1m/A")
    archive_session(database, lake, DAY)
    assert lake.list_files("bronze/live/1m/A") == names


def test_live_bars_are_never_taken_where_no_source_is_named(
    bus_url: str, database: Database, lake: Directory, tmp_path: Path
) -> None:
    with RedisBus(bus_url) as bus:
        session(bus, database, lake)
    place = str(tmp_path / "lake")
    with pytest.raises(EXPECTED, match="source"):
        read("bronze", "A", "1m", lake_dir=place)
    live = read_range(lake, Series(LIVE, Interval.MINUTE, "A"), DAY, DAY)
    write_source(lake, "synthetic", live)
    assert read("bronze", "A", "1m", lake_dir=place).num_rows == 3
    assert read("bronze", "A", "1m", source="live", lake_dir=place).num_rows == 3


def test_what_a_source_says_differently_is_listed(
    bus_url: str, database: Database, lake: Directory
) -> None:
    with RedisBus(bus_url) as bus:
        session(bus, database, lake)
    live = read_range(lake, Series(LIVE, Interval.MINUTE, "A"), DAY, DAY)
    later = replace(live, timestamps=live.timestamps + 100 * MINUTE)
    write_source(lake, "alpaca", with_value(live[1:], 0, close=11.5))
    found = live_differences(database, lake, "alpaca", DAY, ["A"])
    assert [(one.column, one.live, one.source) for one in found] == [
        (NOT_IN_SOURCE, 11.0, None), ("close", 12.0, 11.5),
    ]  # fmt: skip
    assert found[1].ts.isoformat() == "2024-07-03T09:31:00-04:00"
    write_source(lake, "yahoo", later)
    columns = [one.column for one in live_differences(database, lake, "yahoo", DAY, ["A"])]
    assert columns == [NOT_IN_SOURCE] * 3 + [NOT_LIVE] * 3
    write_source(lake, "polygon", live)
    assert live_differences(database, lake, "polygon", DAY, ["A"]) == []
    assert len(live_differences(database, lake, "polygon", DAY)) == 3  # B is not in it
