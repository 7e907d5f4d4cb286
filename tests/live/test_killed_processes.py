"""The processes of the live side killed at any moment: a day's bars and signals stay the same."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import psutil
import pytest
import redis

from database.connection import Database
from live.bus.redis_streams.bus import RedisBus
from live.signals import GROUP
from servers.postgres.local import PostgresServer
from servers.valkey import ValkeyServer, local_valkey
from tests.database.conftest import copied_database
from tests.live.day import DAY, SYMBOLS
from tests.live.processes import LiveProcesses, Told, live_processes, told
from tests.waiting import wait_until
from trading.events import BarClosed, Stream

pytestmark = pytest.mark.slow

KILLS = {"stream": 6, "windows": 7, "signals": 7}
BARS = "trading:bars"
AT_ONCE = 5_000.0
SPEED = 180.0
"""A session of 210 minutes takes 70 seconds and as long as the stream is dead."""


def commands(lake: Path, morning: Path, speed: float) -> dict[str, list[str]]:
    """What starts each process; signals know the lake of the day before alone."""
    return {
        "windows": ["live", "windows"],
        "signals": [
            "live", "signals", "--strategy", "rsi_reversion,vegas_channel",
            "--interval", "1m,5m", "--lake-dir", str(morning),
        ],
        "stream": [
            "live", "stream", "--source", "replay", "--symbols", ",".join(SYMBOLS),
            "--from", str(DAY), "--lake-dir", str(lake), "--speed", str(speed),
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(
    postgres: PostgresServer, migrated_database: str, valkey: ValkeyServer,
    lakes: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory,
) -> Told:  # fmt: skip
    """What the same processes say of the day when nobody is killed."""
    redis.Redis.from_url(valkey.url).flushall()
    morning, evening = lakes
    folder = tmp_path_factory.mktemp("undisturbed")
    with (
        copied_database(postgres, migrated_database) as url,
        live_processes(commands(evening, morning, AT_ONCE), url, valkey.url, folder) as running,
    ):
        for name in running.commands:
            running.start(name)
        wait_until(lambda: is_over(running), lambda: f"the day is told: {running.logs()}")
        whole = told(url, valkey.url, DAY)
    assert len(whole.kept_signals) == len(whole.signals) == 2 * 2 * (210 + 42)
    assert whole.again == 0
    return whole


def is_over(running: LiveProcesses) -> bool:
    """Whether the day's last bar is on the bus, and signals have been made of all."""
    running.check()
    with RedisBus(running.bus_url) as bus:
        last = bus.read_latest(Stream.BARS, 100).events
    close = int(np.datetime64(f"{DAY}T17:00", "ns").astype(np.int64))
    closed = {e.symbol for e in last if isinstance(e, BarClosed) and e.available_at == close}
    return closed == set(SYMBOLS) and not any(waiting(running.bus_url))


def waiting(url: str) -> tuple[int, int]:
    """How many entries of bars signals have not got yet, and got without saying that they did."""
    client = redis.Redis.from_url(url, protocol=2)
    (group,) = [one for one in client.xinfo_groups(BARS) if one["name"].decode() == GROUP]
    client.close()
    return int(group["lag"] or 0), int(group["pending"])


def test_twenty_kills_change_no_bar_and_no_signal(
    bus_url: str, database_url: str, lakes: tuple[Path, Path], tmp_path: Path, undisturbed: Told
) -> None:
    draw = random.Random(26)  # noqa: S311
    victims = [name for name, count in KILLS.items() for _ in range(count)]
    draw.shuffle(victims)
    morning, evening = lakes
    with live_processes(
        commands(evening, morning, SPEED), database_url, bus_url, tmp_path
    ) as running:
        for name in running.commands:
            running.start(name)
        said = dict.fromkeys(running.commands, 0)
        for victim in victims:
            # Sometimes before it has done anything, else some steps after its start.
            due = said[victim] + (0 if draw.random() < 0.15 else draw.randint(1, 5))
            wait_until(
                lambda victim=victim, due=due: running.said(victim) >= due  # type: ignore[misc]
                or running.has_ended("stream"),
                lambda victim=victim: f"{victim} works: {running.logs()}",  # type: ignore[misc]
            )  # fmt: skip
            running.kill(victim)
            said[victim] = running.said(victim)
            running.start(victim)
        wait_until(lambda: is_over(running), lambda: f"the day is told: {running.logs()}")
        found = told(database_url, bus_url, DAY)
    assert found == undisturbed


def test_a_killed_bus_comes_back_and_a_killed_member_is_stood_in_for(
    database_url: str,
    database: Database,
    lakes: tuple[Path, Path],
    tmp_path: Path,
    undisturbed: Told,
) -> None:
    draw = random.Random(27)  # noqa: S311
    morning, evening = lakes
    told_by = commands(evening, morning, 2 * SPEED)
    with (
        # A short path, below which its socket has the same one after a restart.
        tempfile.TemporaryDirectory(prefix="trading-tests-") as short,
        local_valkey(Path(short) / "valkey") as bus,
        live_processes(told_by, database_url, bus.url, tmp_path) as running,
    ):
        for name in running.commands:
            running.start(name)
        wait_until(lambda: running.said("signals") > 0, lambda: f"all work: {running.logs()}")
        running.start("heir", "signals")
        with database.transaction() as holding:
            # Bars are got and not acknowledged while their signals cannot be kept.
            holding.execute("LOCK TABLE signal IN EXCLUSIVE MODE")
            wait_until(lambda: waiting(bus.url)[1], "signals hold bars")
            running.kill("signals")
        for _ in range(3):
            due = running.said("signals") + draw.randint(1, 10)
            wait_until(
                lambda due=due: running.said("signals") >= due or running.has_ended("stream"),  # type: ignore[misc]
                lambda: f"the heir goes on: {running.logs()}",
            )
            psutil.Process(int((bus.folder / "valkey.pid").read_text())).kill()
            wait_until(lambda: answers(bus.url), "the bus is back")
        wait_until(lambda: is_over(running), lambda: f"the day is told: {running.logs()}")
        assert not running.has_ended("windows")
        assert "is away; connecting again" in running.log("windows").read_text()
        assert told(database_url, bus.url, DAY) == undisturbed


def answers(url: str) -> bool:
    client = redis.Redis.from_url(url)
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False
    finally:
        client.close()
