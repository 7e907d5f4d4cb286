"""A bus that lost its last events, as in a crash of its machine: they are told again."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
import redis

from database.connection import Database, open_database
from database.live.subscriptions import subscribe
from live.bus.redis_streams.bus import RedisBus
from live.bus.retention import Retention
from live.errors import BusRewoundError
from live.signals import LiveStrategy, Signals
from live.stream.publishing import Publishing, last_time_told
from live.stream.replay import ReplayedMinutes
from live.windows import Windows
from servers.valkey import local_valkey
from storage.directory import open_directory
from tests.live.day import DAY, SYMBOLS
from tests.live.processes import told
from tests.waiting import wait_until
from trading.events import Stream, Tick


def tick(number: int) -> Tick:
    return Tick("A", number, 1.0, 1.0, number)


class Day:
    """Stream, windows and signals of one bus and one database, begun as their processes do."""

    def __init__(
        self,
        url: str,
        database: Database,
        lakes: tuple[Path, Path],
        strategy: str = "rsi_reversion",
    ) -> None:
        morning, evening = lakes
        subscribe(database, SYMBOLS)
        self.bus = RedisBus(url, lease_seconds=0.1)
        self.source = ReplayedMinutes(
            SYMBOLS, DAY, DAY, lake_dir=str(evening), speed=0, after=last_time_told(self.bus)
        )
        self.stream = Publishing(self.source, self.bus, database)
        self.windows = Windows(self.bus, database, save_seconds=1e6)
        strategies = [LiveStrategy.named(strategy, "5m")]
        lake = open_directory(str(morning), "lake_dir")
        self.signals = Signals(self.bus, database, lake, strategies, "one")

    def go_on(self, steps: int) -> None:
        """Tell so many minutes, and make bars and signals of them."""
        for _ in range(steps):
            self.stream.step(0)
            self.windows.step(0)
            self.signals.step(0.2)

    def finish(self) -> None:
        while not self.source.ended:
            self.go_on(1)

    def close(self) -> None:
        self.signals.close()
        self.bus.close()


def test_a_crash_of_the_machine_costs_no_bar_and_no_signal(
    bus_url: str, database_url: str, database: Database, other_database_url: str,
    lakes: tuple[Path, Path],
) -> None:  # fmt: skip
    undisturbed = Day(bus_url, database, lakes)
    undisturbed.finish()
    undisturbed.close()
    expected = told(database_url, bus_url, DAY)
    assert len(expected.signals) == 2 * 42
    with (
        tempfile.TemporaryDirectory(prefix="trading-tests-") as short,
        open_database(other_database_url) as own,
    ):
        folder = Path(short) / "valkey"
        on_disk, kept = folder / "data", Path(short) / "on-disk"
        with local_valkey(folder) as server:
            before = Day(server.url, own, lakes)
            before.go_on(40)
            shutil.copytree(on_disk, kept)
            before.go_on(20)
            before.windows.save()
            before.go_on(5)
        shutil.rmtree(on_disk)
        kept.rename(on_disk)
        with local_valkey(folder) as server:
            with pytest.raises(BusRewoundError, match="came back without the last ticks"):
                before.stream.step(0)
            before.close()
            after = Day(server.url, own, lakes)
            after.finish()
            after.close()
            assert told(other_database_url, server.url, DAY) == expected


def test_a_publisher_is_told_once_and_before_anything_follows_the_gap(bus_url: str) -> None:
    with RedisBus(bus_url) as bus:
        for number in range(3):
            bus.publish(Stream.TICKS, "A", tick(number))
        client = redis.Redis.from_url(bus_url)
        client.xdel("trading:ticks", bus.read_latest(Stream.TICKS, 1).offset)
        with pytest.raises(BusRewoundError, match="start this process again"):
            bus.publish(Stream.TICKS, "A", tick(3))
        assert bus.read_latest(Stream.TICKS).events == [tick(0), tick(1)]
        bus.publish(Stream.TICKS, "A", tick(2))
        assert bus.read_latest(Stream.TICKS).events == [tick(0), tick(1), tick(2)]


def test_what_was_forgotten_by_its_age_is_not_taken_for_lost(bus_url: str) -> None:
    with RedisBus(bus_url) as bus, RedisBus(bus_url, Retention(ticks_hours=0)) as forgetful:
        bus.publish(Stream.TICKS, "A", tick(0))
        client = redis.Redis.from_url(bus_url)

        def is_forgotten() -> bool:
            forgetful.trim()
            return client.xlen("trading:ticks") == 0

        wait_until(is_forgotten, "it is old")
        bus.publish(Stream.TICKS, "A", tick(1))
        assert bus.read_latest(Stream.TICKS).events == [tick(1)]
