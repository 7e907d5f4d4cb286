from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import pytest

from database.connection import Database, open_database
from database.live.bars import live_bars
from database.live.consumers import ConsumerState, load_state, save_state
from live.bus.port import BEGINNING, Bus
from live.bus.redis_streams.bus import RedisBus
from live.bus.retention import Retention
from live.windows import CONSUMER, Windows
from tests.live.logs import random_log
from trading.bars.folding.fold import Fold
from trading.events import BarClosed, Event, Stream, Tick


class KilledError(Exception):
    """The process ended here."""


class DyingBus(RedisBus):
    """A bus whose process is killed at a moment drawn at random: before or after it published."""

    draw = random.Random(0)  # noqa: S311

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        if self.draw.random() < 0.2:
            raise KilledError
        super().publish_many(stream, events)
        if self.draw.random() < 0.2:
            raise KilledError


def published(bus: Bus) -> list[BarClosed]:
    tail = bus.tail(Stream.BARS, BEGINNING)
    found: list[BarClosed] = []
    while events := tail.fetch(wait_seconds=0).events:
        found += [event for event in events if isinstance(event, BarClosed)]
    return found


def known_once(bars: Sequence[BarClosed]) -> list[BarClosed]:
    """What a consumer takes that knows which bars it has seen."""
    return list({bar.identity: bar for bar in reversed(bars)}.values())[::-1]


def tell(bus: Bus, log: Sequence[Tick]) -> None:
    bus.publish_many(Stream.TICKS, [(tick.symbol, tick) for tick in log])


def drained(windows: Windows) -> None:
    before = -1
    while windows.figures()["clock"] != before or windows.step(0):
        before = windows.figures()["clock"]
        windows.step(0)


def test_bars_are_published_kept_and_those_of_the_fold(bus_url: str, database: Database) -> None:
    log = random_log(1)
    with RedisBus(bus_url) as bus:
        tell(bus, log)
        windows = Windows(bus, database)
        drained(windows)
        expected = list(Fold().take(log))
        assert published(bus) == expected
    last = {(bar.symbol, bar.interval, bar.ts): bar for bar in expected}
    for interval in ("1m", "5m", "13m"):
        stored = live_bars(
            database, interval, datetime(2024, 7, 3, tzinfo=UTC), datetime(2024, 7, 4, tzinfo=UTC)
        )
        wanted = [bar for (_, length, _), bar in last.items() if length == interval]
        assert stored == sorted(wanted, key=lambda bar: (bar.symbol, bar.ts))
    assert windows.figures()["ticks"] == sum(tick.symbol != "" for tick in log)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_any_moment_it_says_the_same_bars_once(
    bus_url: str, database: Database, database_url: str, seed: int
) -> None:
    log = random_log(seed)
    DyingBus.draw = random.Random(seed)  # noqa: S311
    deaths = 0
    with RedisBus(bus_url) as bus, DyingBus(bus_url) as dying:
        told = 0
        while told < len(log):
            with open_database(database_url) as own:
                windows = Windows(dying, own, save_seconds=0)
                try:
                    while told < len(log):
                        tell(bus, log[told : told + 40])
                        told += 40
                        windows.step(0)
                except KilledError:
                    deaths += 1
                    windows.save()  # as a process does that is told to stop in mid-step
        drained(Windows(bus, database))
        assert deaths > 5
        assert known_once(published(bus)) == list(Fold().take(log))


def test_a_state_that_cannot_be_used_begins_anew_from_the_first_tick(
    bus_url: str, database: Database
) -> None:
    log = random_log(4)
    save_state(database, CONSUMER, ConsumerState("5-0", b"of another version"))
    with RedisBus(bus_url) as bus:
        tell(bus, log)
        drained(Windows(bus, database))
        assert published(bus) == list(Fold().take(log))


def test_ticks_that_the_bus_forgot_are_said_and_counted(
    bus_url: str, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    log = random_log(5)
    with RedisBus(bus_url, Retention(ticks_hours=0)) as bus:
        tell(bus, log[:50])
        windows = Windows(bus, database, save_seconds=0)
        windows.step(0)
        tell(bus, log[50:])
        after = load_state(database, CONSUMER)
        assert after is not None
        bus._connection.client.xtrim("trading:ticks", maxlen=0)
        last = bus._connection.client.xinfo_stream("trading:ticks")["last-generated-id"]
        bus._connection.client.set("trading:ticks:trimmed", last)
        tell(bus, log[-1:])
        again = Windows(bus, database)
        again.step(0)
    assert again.figures()["gaps"] == 1
    assert "were forgotten by the bus before they were read" in caplog.text
