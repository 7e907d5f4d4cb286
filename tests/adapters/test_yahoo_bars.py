"""Raw bars of the Yahoo source: the real yfinance client against a stand-in that adjusts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
import yfinance as yf
from hypothesis import given
from hypothesis import strategies as st

from adapters.market_data.bar_source import Adjustment
from adapters.market_data.protocol import SourceError
from adapters.market_data.splits_undone import later_ratio, not_applied, traded_prices
from adapters.market_data.yahoo import YahooSource
from tests.adapters.yahoo_server import (
    NEW_YORK,
    Answer,
    LocalSession,
    Row,
    YahooServer,
    too_many_requests,
)
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.instruments.actions import ActionKind, CorporateAction

DAYS = [date(2024, 10, day) for day in (14, 15, 16, 17, 18)]
START = datetime(2024, 10, 14, tzinfo=NEW_YORK)
END = datetime(2024, 10, 19, tzinfo=NEW_YORK)
SPLIT_DAY = DAYS[2]


@pytest.fixture(scope="module", autouse=True)
def _yfinance_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    yf.set_tz_cache_location(str(tmp_path_factory.mktemp("yfinance")))


@pytest.fixture
def server() -> Iterator[YahooServer]:
    with YahooServer().running() as running:
        yield running


@pytest.fixture
def source(server: YahooServer) -> YahooSource:
    return YahooSource(LocalSession(server.port))


def opened(day: date) -> datetime:
    return datetime.combine(day, time(9, 30), NEW_YORK)


def single(value: float) -> float:
    """A number as it comes out of Yahoo: in single precision."""
    return float(np.float32(value))


def put_days(server: YahooServer, ratio: float = 1.0, split: date | None = None) -> list[Row]:
    """Days of a stock that trades at 400 dollars and is split; returned is what was traded."""
    traded: list[Row] = []
    for i, day in enumerate(DAYS):
        after = split is not None and day >= split
        price, shares = (400.12 / ratio, 4_000 * ratio) if after else (400.12, 4_000)
        row = tuple(round(price * (1 + f), 2) for f in (0, 0.01, -0.01, 0.002 * i))
        traded.append((*row, shares))  # type: ignore[arg-type]
        past = 1.0 if after or split is None else ratio
        adjusted = (*(single(value / past) for value in row), shares * past)
        server.put_rows("AAPL", {opened(day): adjusted}, "1d")  # type: ignore[dict-item]
    if split is not None:
        server.splits["AAPL"] = [(opened(split), ratio)]
    return traded


def assert_rows(got: object, rows: list[Row]) -> None:
    for i, name in enumerate(("open", "high", "low", "close", "volume")):
        np.testing.assert_array_equal(getattr(got, name), [row[i] for row in rows])


def test_days_come_raw_with_open_high_low_close_and_volume(
    server: YahooServer, source: YahooSource
) -> None:
    traded = put_days(server)
    bars = source.bars("AAPL", Interval.DAY, START, END).bars
    assert_rows(bars, traded)
    assert bars.timestamps[0] == np.datetime64("2024-10-14T04:00")
    assert np.isnan(bars.vwap).all()
    assert source.capability.adjustment is Adjustment.SPLITS_UNDONE


@pytest.mark.parametrize("ratio", [4.0, 3.0, 0.1])
def test_a_split_is_undone_before_its_day_alone(
    server: YahooServer, source: YahooSource, ratio: float
) -> None:
    traded = put_days(server, ratio, SPLIT_DAY)
    assert_rows(source.bars("AAPL", Interval.DAY, START, END).bars, traded)


def test_a_split_after_the_range_is_undone_as_well(
    server: YahooServer, source: YahooSource
) -> None:
    traded = put_days(server, 4.0, SPLIT_DAY)
    until = datetime.combine(DAYS[1], time(), NEW_YORK)
    assert_rows(source.bars("AAPL", Interval.DAY, START, until).bars, traded[:1])


def test_a_split_changes_no_minute_and_no_hour_that_was_fetched_before_it(
    server: YahooServer,
) -> None:
    day = datetime.now(NEW_YORK).date() - timedelta(days=5)
    minutes = [opened(day) + timedelta(minutes=i) for i in range(-3, 5)]
    starts = {Interval.MINUTE: minutes, Interval.HOUR: [opened(day), opened(day) + HOUR]}
    fetched = {}
    for ratio in (1.0, 4.0):
        for interval, of_interval in starts.items():
            for i, start in enumerate(of_interval):
                first, high, low, last = (
                    single(value / ratio) for value in (230.0 + i, 231, 229, 230.12)
                )
                server.put_rows("AAPL", {start: (first, high, low, last, 7.0)}, interval.value)
        server.put("AAPL", {opened(day): single(230.12 / ratio)}, "1d")
        server.put("AAPL", {opened(day + timedelta(days=1)): single(57.0)}, "1d")
        if ratio > 1:
            server.splits["AAPL"] = [(opened(day + timedelta(days=1)), ratio)]
        source = YahooSource(LocalSession(server.port))
        for interval, of_interval in starts.items():
            begin = datetime.combine(day, time(), NEW_YORK)
            bars = source.bars("AAPL", interval, begin, begin + timedelta(days=1)).bars
            assert len(bars) == len(of_interval)
            fetched[ratio, interval] = bars
    for interval in starts:
        before, after = fetched[1.0, interval], fetched[4.0, interval]
        for name in ("open", "high", "low", "close"):
            np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
        np.testing.assert_array_equal(after.volume, before.volume / 4)


HOUR = timedelta(hours=1)


def test_a_listed_split_that_was_not_applied_is_refused(
    server: YahooServer, source: YahooSource
) -> None:
    put_days(server, 4.0, SPLIT_DAY)
    for day in DAYS[:2]:
        server.put_rows("AAPL", {opened(day): (400.12, 400.12, 400.12, 400.12, 9.0)}, "1d")
    with pytest.raises(SourceError, match="a split of 4 on 2024-10-16 and seems not") as raised:
        source.bars("AAPL", Interval.DAY, START, END)
    assert not raised.value.transient


def test_a_week_of_minutes_is_asked_for_at_a_time(server: YahooServer, source: YahooSource) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    starts = [now - timedelta(days=days) for days in (20, 10, 3)]
    server.put("AAPL", dict.fromkeys(starts, 230.0), "1m")
    server.put("AAPL", dict.fromkeys(starts, 230.0), "1d")
    bars = source.bars("AAPL", Interval.MINUTE, now - timedelta(days=21), now).bars
    assert len(bars) == 3
    asked = [r for r in server.asked("AAPL") if r.interval == "1m"]
    assert len(asked) == 3
    assert max(r.end - r.start for r in asked) <= timedelta(days=7)


def test_splits_are_asked_for_once(server: YahooServer, source: YahooSource) -> None:
    put_days(server)
    for day in DAYS[:3]:
        begin = datetime.combine(day, time(), NEW_YORK)
        source.bars("AAPL", Interval.DAY, begin, begin + timedelta(days=1))
    assert len(server.asked("AAPL")) == 4


def test_bars_without_the_prices_by_which_splits_are_listed_are_refused(
    server: YahooServer, source: YahooSource
) -> None:
    server.put("AAPL", {opened(DAYS[0]): 230.0}, "1h")
    with pytest.raises(SourceError, match="no daily prices") as raised:
        source.bars("AAPL", Interval.HOUR, *_recent(server))
    assert raised.value.transient


def _recent(server: YahooServer) -> tuple[datetime, datetime]:
    day = datetime.now(NEW_YORK).date() - timedelta(days=5)
    server.put("AAPL", {opened(day): 230.0}, "1h")
    begin = datetime.combine(day, time(), NEW_YORK)
    return begin, begin + timedelta(days=1)


def test_a_row_without_a_price_is_no_bar(server: YahooServer, source: YahooSource) -> None:
    put_days(server)
    server.put_rows("AAPL", {opened(DAYS[1]): (None,) * 5}, "1d")
    assert len(source.bars("AAPL", Interval.DAY, START, END).bars) == 4


def test_no_bars_is_an_empty_answer(server: YahooServer, source: YahooSource) -> None:
    put_days(server)
    early = START - timedelta(days=30)
    assert len(source.bars("AAPL", Interval.DAY, early, early + timedelta(days=5)).bars) == 0


@pytest.mark.parametrize(
    ("fault", "transient"), [(too_many_requests("7"), True), (Answer(503), True)]
)
def test_failures_say_whether_trying_again_can_help(
    server: YahooServer, source: YahooSource, fault: Answer, *, transient: bool
) -> None:
    put_days(server)
    server.answers["AAPL"].append(fault)
    with pytest.raises(SourceError) as raised:
        source.bars("AAPL", Interval.DAY, START, END)
    assert raised.value.transient is transient


def test_what_yahoo_does_not_have_is_refused_before_asking(
    server: YahooServer, source: YahooSource
) -> None:
    with pytest.raises(SourceError, match="has 1m bars from"):
        source.bars("AAPL", Interval.MINUTE, START, END)
    with pytest.raises(SourceError, match="yahoo has no 5m bars"):
        source.bars("AAPL", Interval.MINUTES_5, START, END)
    with pytest.raises(SourceError, match="no list"):
        source.instruments()
    with pytest.raises(ParameterError):
        source.bars("aapl", Interval.DAY, START, END)
    assert server.requests == []


def test_actions_are_splits_and_dividends_as_paid(server: YahooServer, source: YahooSource) -> None:
    put_days(server, 4.0, SPLIT_DAY)
    server.dividends["AAPL"] = [(opened(DAYS[1]), 0.25), (opened(DAYS[4]), 0.3)]
    actions = source.actions("AAPL", DAYS[1], DAYS[4])
    assert [(a.kind, a.ex_date, a.value) for a in actions] == [
        (ActionKind.DIVIDEND, DAYS[1], 1.0),
        (ActionKind.SPLIT, SPLIT_DAY, 4.0),
        (ActionKind.DIVIDEND, DAYS[4], 0.3),
    ]
    assert [a.kind for a in source.actions("AAPL", DAYS[2], DAYS[3])] == [ActionKind.SPLIT]


def split_of(value: float, day: date = SPLIT_DAY) -> CorporateAction:
    return CorporateAction(symbol="AAPL", kind=ActionKind.SPLIT, ex_date=day, value=value)


@given(
    st.floats(0.5, 8_000).map(lambda price: round(price, 2)),
    st.lists(st.sampled_from([2.0, 3.0, 4.0, 7.0, 10.0, 20.0, 1.5]), max_size=3),
)
def test_undoing_gives_back_what_was_traded(price: float, ratios: list[float]) -> None:
    stamps = np.array(["2024-10-15T14:00", "2024-10-16T14:00"], "datetime64[ns]")
    splits = [split_of(ratio) for ratio in ratios]
    factor = later_ratio(stamps, splits)
    assert factor.tolist() == [np.prod(ratios), 1.0]
    served = np.array([single(price / float(np.prod(ratios))), single(price)])
    assert traded_prices(served, factor).tolist() == [price, price]


@pytest.mark.parametrize(
    ("ratio", "before", "after", "expected"),
    [
        (4.0, 100.0, 98.0, False),
        (4.0, 400.0, 98.0, True),
        (0.1, 100.0, 104.0, False),
        (0.1, 1.0, 9.5, True),
        (1.05, 100.0, 95.0, False),
        (2.0, 100.0, 75.0, False),
    ],
)
def test_a_split_that_was_not_applied_is_seen_by_its_jump(
    ratio: float, before: float, after: float, *, expected: bool
) -> None:
    dates = np.array(["2024-10-15", "2024-10-17"], "datetime64[D]")
    closes, opens = np.array([before, after]), np.array([before, after])
    assert not_applied(split_of(ratio), dates, opens, closes) is expected
    assert not not_applied(split_of(ratio, date(2024, 10, 14)), dates, opens, closes)
    assert not not_applied(split_of(ratio, date(2024, 10, 18)), dates, opens, closes)
