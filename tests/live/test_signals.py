"""A day told again by the stream agrees with silver and gold of the same day."""

from __future__ import annotations

import contextlib
import math
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from database.connection import Database
from database.live.bars import live_bars
from database.live.signals import stored_signals
from database.live.subscriptions import subscribe, unsubscribe
from database.news import ScoredArticle, add_articles
from flows.operations.news_fetching import copy_news
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.reading import read
from live.bus.port import BEGINNING, Bus
from live.bus.redis_streams.bus import RedisBus
from live.histories.loading import LiveHistories
from live.preparation import is_expected
from live.signals import LiveStrategy, Signals
from live.stream.publishing import Publishing, last_time_told
from live.stream.replay import ReplayedMinutes
from live.stream.source import time_tick
from live.windows import Windows
from storage.directory import open_directory
from tests.lake.building import build
from tests.live.day import DAY, SYMBOLS
from trading.bars.intervals import MINUTE_INTERVALS, Interval
from trading.bars.model import VALUES
from trading.errors import ParameterError
from trading.events import BarClosed, SignalMade, Stream, Tick
from trading.instruments.clock import exchange_date, local_times, nanoseconds_of
from trading.news.article import Article

START, END = datetime(2024, 7, 3, tzinfo=UTC), datetime(2024, 7, 4, tzinfo=UTC)


def said_of_aapl(hour: int, minute: int, sentiment: float, fetched: int = 0) -> ScoredArticle:
    """An article that came out at a time of the day in UTC, and was fetched minutes later."""
    out = START + timedelta(hours=hour, minutes=minute)
    article = Article(
        url=f"https://a.com/{hour}-{minute}", title="T", description="", publisher="P",
        source="newsapi", published_at=out, fetched_at=out + timedelta(minutes=fetched),
        symbols=frozenset({"AAPL"}),
    )  # fmt: skip
    return ScoredArticle(article=article, sentiment=sentiment, label="neutral", scorer="vader")


NEWS_OF_THE_DAY = [
    said_of_aapl(5, 0, 0.9),  # does not count any more when trading begins
    said_of_aapl(13, 20, 0.8),
    said_of_aapl(14, 35, -0.9, fetched=5),  # usable at the very end of a bar
    said_of_aapl(15, 2, 0.3, fetched=61),
]


def replayed(bus: Bus, database: Database, lake: Path, most: int = 10**6) -> int:
    """Tell the day, or so many steps of it, from where the bus is; how many steps that was."""
    source = ReplayedMinutes(
        SYMBOLS, DAY, DAY, lake_dir=str(lake), speed=0, after=last_time_told(bus)
    )
    publishing = Publishing(source, bus, database)
    steps = 0
    while not source.ended and steps < most:
        publishing.step(0)
        steps += 1
    return steps


def live_day(bus: Bus, database: Database, lake: Path, strategies: list[LiveStrategy]) -> None:
    """Bars and signals of all ticks on the bus."""
    windows = Windows(bus, database)
    signals = Signals(bus, database, open_directory(str(lake), "lake_dir"), strategies, "one")
    told = True
    while told:
        before = windows.ticks
        windows.step(0)
        made = signals.step(0)
        told = windows.ticks != before or bool(made)
    signals.close()


def test_live_bars_and_signals_are_those_of_silver_and_gold(
    bus_url: str, database: Database, lakes: tuple[Path, Path]
) -> None:
    morning, evening = lakes
    subscribe(database, SYMBOLS)
    strategies = [
        LiveStrategy.named("rsi_reversion", "5m"),
        LiveStrategy.named("vegas_channel", "1m"),
        LiveStrategy.named("news_sentiment", "5m", {"news_half_life_hours": 1}),
    ]
    add_articles(database, NEWS_OF_THE_DAY)
    # The lake of the morning has none of it, that of the evening all.
    copy_news(database, open_directory(str(evening), "lake_dir"), SYMBOLS)
    with RedisBus(bus_url) as bus:
        replayed(bus, database, evening)
        live_day(bus, database, morning, strategies)
        published = bus.tail(Stream.SIGNALS, BEGINNING).fetch(10**6, 0).events
    for symbol in SYMBOLS:
        for interval in MINUTE_INTERVALS:
            silver = read("silver", symbol, interval, DAY, DAY, lake_dir=str(evening))
            assert rows(live_bars(database, interval, START, END, [symbol])) == silver_rows(silver)
        for one in strategies:
            compare_with_gold(database, evening, symbol, one)
    stored = stored_signals(database, START, END)
    assert sorted(published, key=identity) == sorted(stored, key=identity)
    assert len(stored) == 2 * (210 + 42 + 42)
    of_news = [one for one in stored if one.strategy == "news_sentiment"]
    assert {one.signal for one in of_news if one.symbol == "AAPL"} == {"buy", "hold", "sell"}
    assert {one.signal for one in of_news if one.symbol == "MSFT"} == {"hold"}


def test_histories_are_loaded_before_the_opening(
    bus_url: str, database: Database, lakes: tuple[Path, Path], tmp_path: Path
) -> None:
    subscribe(database, SYMBOLS)
    morning = Path(shutil.copytree(lakes[0], tmp_path / "lake"))
    strategies = [LiveStrategy.named("rsi_reversion", "5m")]
    with (
        RedisBus(bus_url) as bus,
        contextlib.closing(
            Signals(bus, database, open_directory(str(morning), "lake_dir"), strategies, "one")
        ) as signals,
    ):
        before = nanoseconds_of(datetime(2024, 7, 3, 12, 45, tzinfo=UTC))
        bus.publish(Stream.TICKS, "", time_tick(before))
        signals.step(0)
        signals.step(0)
        shutil.rmtree(morning)
        replayed(bus, database, lakes[1])
        windows = Windows(bus, database)
        while windows.step(0) or signals.signals < 2 * 42:
            signals.step(0)
    compare_with_gold(database, lakes[1], "AAPL", strategies[0])
    compare_with_gold(database, lakes[1], "MSFT", strategies[0])


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (datetime(2024, 7, 3, 12, 29, tzinfo=UTC), False),
        (datetime(2024, 7, 3, 12, 30, tzinfo=UTC), True),
        (datetime(2024, 7, 3, 16, 59, tzinfo=UTC), True),
        (datetime(2024, 7, 3, 17, 0, tzinfo=UTC), False),  # an early close
        (datetime(2024, 7, 4, 13, 0, tzinfo=UTC), False),  # a holiday
        (datetime(2024, 12, 3, 13, 29, tzinfo=UTC), False),
        (datetime(2024, 12, 3, 13, 30, tzinfo=UTC), True),
    ],
)
def test_the_session_that_goes_on_or_begins_within_the_hour(
    now: datetime, *, expected: bool
) -> None:
    told = nanoseconds_of(now)
    assert is_expected(told, exchange_date(told)) is expected


def test_many_series_loaded_together_are_those_loaded_alone(
    bus_url: str, database: Database, lakes: tuple[Path, Path]
) -> None:
    morning, evening = lakes
    subscribe(database, SYMBOLS)
    with RedisBus(bus_url) as bus:
        replayed(bus, database, evening)
        windows = Windows(bus, database)
        while windows.step(0):
            pass
    end = nanoseconds_of(END - timedelta(hours=4))
    lake = open_directory(str(morning), "lake_dir")
    together, alone = (LiveHistories(lake, database) for _ in range(2))
    together.load([(symbol, Interval.MINUTES_5) for symbol in SYMBOLS], DAY)
    for symbol in SYMBOLS:
        one, other = (each.of(symbol, Interval.MINUTES_5, end) for each in (together, alone))
        said, again = one.bars.until(end).bars, other.bars.until(end).bars
        assert said.timestamps.tolist() == again.timestamps.tolist()
        assert said.close.tolist() == again.close.tolist()
        of_day = local_times(said.timestamps).astype("datetime64[D]") == np.datetime64(DAY)
        assert np.count_nonzero(of_day) == 42
        assert np.count_nonzero(~of_day) > 0


def compare_with_gold(database: Database, lake: Path, symbol: str, one: LiveStrategy) -> None:
    name, interval = one.strategy.name, one.interval
    request = GoldRequest(
        lake_dir=str(lake),
        strategy=name,
        parameters=one.parameters.model_dump(),
        intervals=(interval,),
        symbols=(symbol,),
    )
    build(GoldDataset(), request)
    gold = read("gold", symbol, interval, DAY, DAY, strategy=name, lake_dir=str(lake))
    said = stored_signals(
        database, START, END, symbol=symbol, strategy=name, interval=interval.value
    )
    assert [signal.signal for signal in said] == gold["signal"].to_pylist()
    assert [signal.close for signal in said] == gold["close"].to_pylist()
    own = ("news_score",) if name == "news_sentiment" else ()
    for column in ("ema_8", "rsi_14", "macd", "atr_14", *own):
        assert [signal.values[column] for signal in said] == [
            None if value is None or math.isnan(value) else value
            for value in gold[column].to_pylist()
        ]


def test_a_replay_that_was_killed_goes_on_where_the_bus_is(
    bus_url: str, database: Database, lakes: tuple[Path, Path]
) -> None:
    _, evening = lakes
    subscribe(database, SYMBOLS)
    with RedisBus(bus_url) as bus:
        steps = replayed(bus, database, evening, 50)
        while steps > 1:
            steps = replayed(bus, database, evening, 50)
        told = bus.tail(Stream.TICKS, BEGINNING).fetch(10**6, 0).events
        minutes = {tick.identity for tick in told if isinstance(tick, Tick) and tick.symbol}
        assert len(minutes) == 2 * 210
        times = [tick.ts for tick in told if isinstance(tick, Tick) and not tick.symbol]
        assert times == sorted(times)


def test_symbols_come_and_go_without_a_new_process(
    bus_url: str, database: Database, lakes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.stream.publishing._LOOK_SECONDS", 0.0)
    source = ReplayedMinutes(SYMBOLS, DAY, DAY, lake_dir=str(lakes[1]), speed=0)
    subscribe(database, SYMBOLS)
    with RedisBus(bus_url) as bus:
        publishing = Publishing(source, bus, database)
        for _ in range(10):
            publishing.step(0)
        unsubscribe(database, ["MSFT"])
        for _ in range(10):
            publishing.step(0)
        told = bus.read_latest(Stream.TICKS).events
    symbols = [tick.symbol for tick in told if isinstance(tick, Tick) and tick.symbol]
    assert symbols.count("AAPL") == 19
    assert symbols.count("MSFT") == 9


def test_what_the_lake_lacks_is_one_sentence(lakes: tuple[Path, Path]) -> None:
    with pytest.raises(ParameterError, match="fill it with trading lake ingest"):
        ReplayedMinutes(["NONE"], DAY, DAY, lake_dir=str(lakes[1]), speed=0)
    with pytest.raises(ParameterError, match="interval='1d' is not one of 1m, 3m"):
        LiveStrategy.named("rsi_reversion", "1d")


def test_a_strategys_fingerprint_is_of_its_parameters() -> None:
    one = LiveStrategy.named("rsi_reversion", "5m")
    assert one.fingerprint == LiveStrategy.named("rsi_reversion", "1m").fingerprint
    assert one.fingerprint != LiveStrategy.named("rsi_reversion", "5m", {"periods": 9}).fingerprint


def identity(signal: object) -> str:
    assert isinstance(signal, SignalMade)
    return signal.identity


def rows(bars: list[BarClosed]) -> list[tuple[object, ...]]:
    return [(bar.ts, *(getattr(bar, name) for name in VALUES)) for bar in bars]


def silver_rows(table: pa.Table) -> list[tuple[object, ...]]:
    stamps = table["timestamp"].cast(pa.timestamp("ns", "UTC")).cast(pa.int64()).to_pylist()
    columns = [table[name].to_pylist() for name in VALUES]
    return list(zip(stamps, *columns, strict=True))
