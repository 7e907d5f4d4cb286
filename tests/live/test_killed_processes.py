"""The processes of the live side killed at any moment: a day's bars and signals stay the same."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import redis

from live.bus.port import BEGINNING
from live.bus.redis_streams.bus import RedisBus
from live.signals import GROUP
from servers.postgres.local import PostgresServer
from servers.valkey import ValkeyServer
from tests.database.conftest import copied_database
from tests.live.processes import LiveProcesses, Told, live_processes, told
from tests.live.test_signals import DAY, SYMBOLS, lakes  # noqa: F401 - a fixture
from tests.waiting import wait_until
from trading.events import BarClosed, Stream

pytestmark = pytest.mark.slow

KILLS = {"stream": 6, "windows": 7, "signals": 7}
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
    postgres: PostgresServer, migrated: str, valkey: ValkeyServer, lakes: tuple[Path, Path],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Told:  # fmt: skip
    """What the same processes say of the day when nobody is killed."""
    redis.Redis.from_url(valkey.url).flushall()
    morning, evening = lakes
    folder = tmp_path_factory.mktemp("undisturbed")
    with (
        copied_database(postgres, migrated) as url,
        live_processes(commands(evening, morning, AT_ONCE), url, valkey.url, folder) as running,
    ):
        for name in running.commands:
            running.start(name)
        wait_until(lambda: is_over(running), f"the day is told: {running.logs()}")
        whole = told(url, valkey.url, DAY)
    assert len(whole.kept_signals) == len(whole.signals) == 2 * 2 * (210 + 42)
    assert whole.again == 0
    return whole


def is_over(running: LiveProcesses) -> bool:
    """Whether the day's last bar is on the bus, and signals have been made of all."""
    running.check()
    with RedisBus(running.bus_url) as bus:
        last = bus.read_latest(Stream.BARS, 100).events
    client = redis.Redis.from_url(running.bus_url, protocol=2)
    groups = client.xinfo_groups("trading:bars") if last else []
    close = int(np.datetime64(f"{DAY}T17:00", "ns").astype(np.int64))
    closed = {e.symbol for e in last if isinstance(e, BarClosed) and e.available_at == close}
    return closed == set(SYMBOLS) and any(
        group["name"].decode() == GROUP and group["lag"] == 0 and group["pending"] == 0
        for group in groups
    )


def test_twenty_kills_change_no_bar_and_no_signal(
    bus_url: str, database_url: str, lakes: tuple[Path, Path], tmp_path: Path, undisturbed: Told  # noqa: F811
) -> None:
    draw = random.Random(26)  # noqa: S311
    victims = [name for name, count in KILLS.items() for _ in range(count)]
    draw.shuffle(victims)
    morning, evening = lakes
    in_mid_day = 0
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
                f"{victim} works: {running.logs()}",
            )  # fmt: skip
            in_mid_day += not running.has_ended("stream")
            running.kill(victim)
            said[victim] = running.said(victim)
            running.start(victim)
        wait_until(lambda: is_over(running), f"the day is told: {running.logs()}")
        found = told(database_url, bus_url, DAY)
    assert found == undisturbed
