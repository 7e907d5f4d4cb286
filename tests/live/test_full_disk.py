"""A disk without room: said in one sentence, nothing corrupted, and on it goes when there is room.

The room is taken away by a limit on the size of files, which needs no rights and no file system.
"""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.commands.live.all_in_one.processes import LiveProcess
from cli.commands.live.all_in_one.supervisor import Supervised
from database.connection import Database
from database.live.heartbeats import heartbeats
from lake.reading import read
from live.bus.port import BEGINNING, Bus
from live.bus.redis_streams.bus import RedisBus
from live.errors import BusFullError
from servers.valkey import ValkeyServer, local_valkey
from tests.live.day import DAY, SYMBOLS
from tests.live.test_archive import session_log
from tests.waiting import wait_until
from trading.events import Stream, Tick

Begin = Callable[..., Supervised]


@pytest.fixture
def own_bus() -> Iterator[ValkeyServer]:
    with (
        tempfile.TemporaryDirectory(prefix="trading-tests-") as short,
        local_valkey(Path(short) / "valkey") as server,
    ):
        yield server


@contextmanager
def no_room(pid: int, size: int) -> Iterator[None]:
    """Let no file of a process grow beyond so many bytes."""
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def valkey_pid(server: ValkeyServer) -> int:
    return int((server.folder / "valkey.pid").read_text())


def written(server: ValkeyServer) -> int:
    """How many bytes its append-only files have."""
    return max(path.stat().st_size for path in (server.folder / "data").rglob("*.incr.aof"))


def tick(number: int) -> Tick:
    return Tick("A", number, 1.0, 1.0, number)


def numbers(bus: Bus) -> list[int]:
    tail = bus.tail(Stream.TICKS, BEGINNING)
    found: list[int] = []
    while events := tail.fetch(10_000, 0).events:
        found += [event.ts for event in events if isinstance(event, Tick)]
    return found


def takes(bus: Bus, number: int) -> bool:
    try:
        bus.publish(Stream.TICKS, "A", tick(number))
    except BusFullError:
        return False
    return True


def test_a_bus_without_room_says_so_keeps_what_it_took_and_goes_on(own_bus: ValkeyServer) -> None:
    taken = 0
    with RedisBus(own_bus.url) as bus:
        with no_room(valkey_pid(own_bus), written(own_bus) + 4_096):
            while takes(bus, taken):
                taken += 1
            assert taken > 10
            with pytest.raises(BusFullError, match=r"^The bus .* its disk is full; give it room"):
                bus.publish(Stream.TICKS, "A", tick(taken))
            assert numbers(bus) == list(range(taken))

        wait_until(lambda: takes(bus, taken), "it goes on by itself")
    with local_valkey(own_bus.folder) as same, RedisBus(same.url) as bus:
        assert numbers(bus) == list(range(taken + 1))


@pytest.fixture
def begin(tmp_path: Path, database_url: str, own_bus: ValkeyServer) -> Iterator[Begin]:
    """Start a process of the live side as `trading live` does; it is ended afterwards."""
    started: list[Supervised] = []
    environment = dict(os.environ) | {
        "TRADING_DATABASE_URL": database_url, "TRADING_BUS_URL": own_bus.url,
    }  # fmt: skip

    def begin_one(name: str, *arguments: str) -> Supervised:
        process = LiveProcess(name, ["live", name, *arguments], may_end=True)
        started.append(Supervised(process, tmp_path, environment))
        return started[-1]

    yield begin_one
    for one in started:
        one.stop()


def said(process: Supervised, words: str) -> bool:
    """Whether it said something, which it does when it ends; it is begun again until then."""
    return words in looked_at(process).log.read_text()


def looked_at(process: Supervised) -> Supervised:
    """The process, begun again if it has ended."""
    process.look()
    return process


@pytest.mark.slow
def test_a_stream_goes_on_by_itself_when_the_bus_has_room(
    begin: Begin, own_bus: ValkeyServer, lakes: tuple[Path, Path]
) -> None:
    with no_room(valkey_pid(own_bus), written(own_bus) + 20_000):
        stream = begin(
            "stream", "--source", "replay", "--symbols", ",".join(SYMBOLS), "--from", str(DAY),
            "--lake-dir", str(lakes[1]), "--speed", "5000",
        )  # fmt: skip
        wait_until(lambda: said(stream, "its disk is full; give it room"), "it is said")
        (sentence,) = {line for line in stream.log.read_text().splitlines() if "full" in line}
        assert sentence.startswith("The bus at ")
    wait_until(lambda: looked_at(stream).ended, lambda: f"it goes on: {stream.log.read_text()}")
    with RedisBus(own_bus.url) as bus:
        told = bus.tail(Stream.TICKS, BEGINNING).fetch(10_000, 0).events
    minutes = [t.identity for t in told if isinstance(t, Tick) and t.symbol]
    assert len(set(minutes)) == 2 * 210
    # Minutes of the step that was refused may come again, and none comes before an older one.
    times = [t.ts for t in told if isinstance(t, Tick) and t.symbol]
    assert times == sorted(times)


@pytest.mark.slow
def test_a_sessions_minutes_reach_the_lake_when_it_has_room(
    begin: Begin, own_bus: ValkeyServer, database: Database, tmp_path: Path
) -> None:
    lake = tmp_path / "lake"
    windows = begin("windows", "--archive", "--lake-dir", str(lake))
    wait_until(lambda: heartbeats(database), lambda: f"it runs: {windows.log.read_text()}")
    assert windows.pid is not None
    with no_room(windows.pid, 1_000), RedisBus(own_bus.url) as bus:
        log = session_log()
        bus.publish_many(Stream.TICKS, [(one.symbol, one) for one in log])
        wait_until(lambda: "no space is left there" in windows.log.read_text(), "it is said")
    assert not list(lake.rglob("*.parquet"))
    wait_until(lambda: looked_at(windows) and len(found(lake)) == 2, "the minutes are in the lake")
    assert all(path.stat().st_size > 1_000 for path in found(lake))
    for symbol in ("A", "B"):
        rows = read("bronze", symbol, "1m", DAY, DAY, source="live", lake_dir=str(lake))
        assert rows["close"].to_pylist() == [11.0, 12.0, 13.0]


def found(lake: Path) -> list[Path]:
    return list((lake / "bronze").rglob("*.parquet"))
