"""What the first bars need is loaded before they come."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from database.connection import Database
from database.live.subscriptions import subscribe
from live.bus.redis_streams.bus import RedisBus
from live.signals import LiveStrategy, Signals
from live.stream.source import time_tick
from live.warm_up import warm_up
from storage.directory import open_directory
from trading.bars.folding.session import MINUTE
from trading.events import BarClosed, Stream
from trading.strategies.registry import BUILT_IN

OPEN = 1_719_927_000 * 10**9
"""2024-07-02 9:30 in New York."""

SYMBOLS = tuple(f"S{number:02}" for number in range(25))


def made_with(bus: RedisBus, database: Database, lake: Path) -> Signals:
    strategies = [LiveStrategy.named("bollinger_reversion", "1m")]
    return Signals(bus, database, open_directory(str(lake), "lake_dir"), strategies, "one")


def closed(symbol: str) -> BarClosed:
    return BarClosed(
        symbol=symbol, interval="1m", ts=OPEN, open=1.0, high=1.0, low=1.0, close=1.0, volume=1.0,
        available_at=OPEN + MINUTE,
    )  # fmt: skip


def test_no_history_is_left_to_be_read_when_the_first_bars_come(
    bus_url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(database, SYMBOLS)
    read: list[str] = []

    def live_bars(*asked: object) -> list[BarClosed]:
        assert isinstance(asked[-1], list)
        read.extend(asked[-1])
        return []

    monkeypatch.setattr("live.histories.loading.live_bars", live_bars)
    monkeypatch.setattr("live.preparation._LOOK_SECONDS", 0.0)
    with RedisBus(bus_url) as bus:
        signals = made_with(bus, database, tmp_path)
        signals.step(0)
        assert not read, "nobody has told a time"
        bus.publish(Stream.TICKS, "", time_tick(OPEN - 61 * MINUTE))
        signals.step(0)
        signals.step(0)
        assert not read, "the lake may lack the session before"
        bus.publish(Stream.TICKS, "", time_tick(OPEN - 59 * MINUTE))
        for _ in range(6):
            signals.step(0)
        assert sorted(read) == list(SYMBOLS)
        bus.publish_many(Stream.BARS, ((symbol, closed(symbol)) for symbol in SYMBOLS))
        assert len(signals.step(0)) == len(SYMBOLS)
        assert sorted(read) == list(SYMBOLS)
        subscribe(database, ["LATER"])
        signals.step(0)
        signals.step(0)
        signals.close()
    assert sorted(read) == ["LATER", *SYMBOLS]


def test_the_first_signals_are_published_before_the_last_are_made(
    bus_url: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.signals._PUBLISH_SECONDS", 0.0)
    with RedisBus(bus_url) as bus:
        bus.publish_many(Stream.BARS, ((symbol, closed(symbol)) for symbol in SYMBOLS))
        signals = made_with(bus, database, tmp_path)
        published: list[int] = []
        said = signals._said

        def counting(*asked: object) -> object:
            published.append(len(bus.read_latest(Stream.SIGNALS).events))
            return said(*asked)  # type: ignore[arg-type]

        monkeypatch.setattr(signals, "_said", counting)
        assert len(signals.step(0)) == len(SYMBOLS)
        assert published == list(range(len(SYMBOLS)))
        assert len(bus.read_latest(Stream.SIGNALS).events) == len(SYMBOLS)
        signals.close()


def test_the_indicators_library_is_there_before_the_first_bar() -> None:
    program = (
        "import sys\n"
        "from live.signals import LiveStrategy\n"
        "from live.warm_up import warm_up\n"
        "before = 'talib' in sys.modules\n"
        "warm_up([LiveStrategy.named('bollinger_reversion', '1m')])\n"
        "print(before, 'talib' in sys.modules)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert told.stdout.split() == ["False", "True"]


def test_every_strategy_takes_the_bars_that_are_made_up(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warm_up([LiveStrategy.named(name, "1m") for name in BUILT_IN])
    assert not caplog.records
