"""What only Redis Streams have: memory and disk that are full, trimming, and restarts."""

from __future__ import annotations

import os
import signal
import tempfile
import threading
from pathlib import Path

import psutil
import pytest
import redis

from live.bus.opening import open_bus
from live.bus.port import BEGINNING
from live.bus.redis_streams.bus import RedisBus
from live.bus.retention import Retention
from live.errors import BusError, BusFullError, BusUnreachableError
from servers.valkey import local_valkey
from tests.waiting import wait_until
from trading.errors import ParameterError
from trading.events import Event, Stream, Tick


def tick(number: int) -> Tick:
    return Tick("A", number, 1.0, 1.0, number)


def test_what_is_old_is_forgotten_and_a_reader_behind_it_is_told(bus_url: str) -> None:
    with RedisBus(bus_url) as bus, RedisBus(bus_url, Retention(ticks_hours=0)) as forgetful:
        bus.publish(Stream.TICKS, "A", tick(0))
        offset = bus.read_latest(Stream.TICKS).offset
        slow = bus.tail(Stream.TICKS, offset)
        group = bus.consume(Stream.TICKS, "windows", "one", start="latest")
        bus.publish(Stream.TICKS, "A", tick(1))
        stamp = redis.Redis.from_url(bus_url)
        last = int(offset.split("-")[0]) + 2
        wait_until(lambda: stamp.time()[0] * 1000 + stamp.time()[1] // 1000 > last, "time passes")
        forgetful.trim()
        bus.publish(Stream.TICKS, "A", tick(2))
        for reader in (slow, group):
            batch = reader.fetch()
            assert (batch.events, batch.missed) == ([tick(2)], True)
        whole = bus.tail(Stream.TICKS, BEGINNING).fetch()
        assert (whole.events, whole.missed) == ([tick(2)], False)


def test_a_reader_that_is_not_behind_is_told_nothing(bus_url: str) -> None:
    with RedisBus(bus_url) as bus, RedisBus(bus_url, Retention(ticks_hours=0)) as forgetful:
        bus.publish(Stream.TICKS, "A", tick(0))
        tail = bus.tail(Stream.TICKS)
        forgetful.trim()
        bus.publish(Stream.TICKS, "A", tick(1))
        batch = tail.fetch()
        assert (batch.events, batch.missed) == ([tick(1)], False)


def test_full_memory_is_said_and_what_was_there_stays(bus_url: str) -> None:
    server = redis.Redis.from_url(bus_url)
    before = server.config_get("maxmemory")["maxmemory"]
    with RedisBus(bus_url) as bus:
        bus.publish_many(Stream.TICKS, [("A", tick(n)) for n in range(600)])
        server.config_set("maxmemory", 1)
        try:
            for count in (1, 600):
                with pytest.raises(BusFullError, match="its memory is full; give it room"):
                    bus.publish_many(Stream.TICKS, [("A", tick(n)) for n in range(count)])
        finally:
            server.config_set("maxmemory", str(before))
        assert len(bus.read_latest(Stream.TICKS, 5000).events) == 600


def test_a_bus_that_was_killed_comes_back_with_what_it_took() -> None:
    # A short path, below which its socket has the same one after a restart.
    with tempfile.TemporaryDirectory(prefix="trading-tests-") as short:
        _kill_and_restart(Path(short) / "valkey")


def _kill_and_restart(folder: Path) -> None:
    with local_valkey(folder) as server:
        url, pid = server.url, int((folder / "valkey.pid").read_text())
        bus = RedisBus(url, lease_seconds=1)
        consumer = bus.consume(Stream.TICKS, "windows", "one")
        bus.publish_many(Stream.TICKS, [("A", tick(n)) for n in range(1000)])
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(pid), "the killed server is gone")
    publishing = threading.Thread(
        target=lambda: RedisBus(url).publish(Stream.TICKS, "A", tick(1000)), daemon=True
    )
    publishing.start()
    with local_valkey(folder):
        publishing.join()
        seen: list[Event] = []

        def look() -> bool:
            batch = consumer.fetch()
            seen.extend(batch.events)
            consumer.acknowledge(batch)
            return len(seen) >= 1001

        wait_until(look, "all events have come", 60)
        assert seen == [tick(n) for n in range(1001)]
        bus.close()


def test_a_bus_that_stays_away_is_one_sentence(tmp_path: Path) -> None:
    bus = RedisBus(f"unix://{tmp_path}/nothing.sock", patience_seconds=0.1)
    with pytest.raises(BusUnreachableError, match=r"The bus at .*nothing\.sock cannot be reached"):
        bus.publish(Stream.TICKS, "A", tick(0))


def test_a_refused_login_is_said_at_once_without_the_password(bus_url: str) -> None:
    url = bus_url.replace("unix://", "unix://somebody:s3cret@")
    with pytest.raises(BusError, match="refuses the login") as refused:
        RedisBus(url).publish(Stream.TICKS, "A", tick(0))
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("url", ["redis://:p4ss@host:port", "http://p4ss", "p4ss"])
def test_a_url_of_no_bus_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ParameterError, match="TRADING_BUS_URL") as refused:
        open_bus(url)
    assert "p4ss" not in str(refused.value)
