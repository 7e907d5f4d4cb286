"""A day told again by the stream agrees with silver and gold of the same day."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from database.connection import Database
from database.live.bars import live_bars
from database.live.signals import stored_signals
from database.live.subscriptions import subscribe, unsubscribe
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.reading import read
from live.bus.port import BEGINNING, Bus
from live.bus.redis_streams.bus import RedisBus
from live.signals import LiveStrategy, Signals
from live.stream.publishing import Publishing, last_time_told
from live.stream.replay import ReplayedMinutes
from live.windows import Windows
from storage.directory import open_directory
from tests.lake.building import build
from tests.live.day import DAY, SYMBOLS
from trading.bars.intervals import MINUTE_INTERVALS
from trading.bars.model import VALUES
from trading.errors import ParameterError
from trading.events import BarClosed, SignalMade, Stream, Tick

START, END = datetime(2024, 7, 3, tzinfo=UTC), datetime(2024, 7, 4, tzinfo=UTC)


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
    ]
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
    assert len(stored) == 2 * (210 + 42)


def compare_with_gold(database: Database, lake: Path, symbol: str, one: LiveStrategy) -> None:
    name, interval = one.strategy.name, one.interval
    request = GoldRequest(
        lake_dir=str(lake), strategy=name, intervals=(interval,), symbols=(symbol,)
    )
    build(GoldDataset(), request)
    gold = read("gold", symbol, interval, DAY, DAY, strategy=name, lake_dir=str(lake))
    said = stored_signals(
        database, START, END, symbol=symbol, strategy=name, interval=interval.value
    )
    assert [signal.signal for signal in said] == gold["signal"].to_pylist()
    assert [signal.close for signal in said] == gold["close"].to_pylist()
    for column in ("ema_8", "rsi_14", "macd", "atr_14"):
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
