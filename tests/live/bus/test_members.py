"""Members of a group on Redis Streams that have ended: gone from it, and nothing with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import redis

from live.bus.redis_streams.bus import RedisBus
from live.bus.redis_streams.readers import RedisConsumer
from tests.waiting import wait_until
from trading.events import Event, Stream, Tick

GROUP = "windows"
LEASE_SECONDS = 0.02

HOLDS = """
import sys
from live.bus.redis_streams.bus import RedisBus
from trading.events import Stream

consumer = RedisBus(sys.argv[1], lease_seconds=0.02).consume(Stream.TICKS, "windows", sys.argv[2])
first = consumer.fetch(1, 30)
consumer.acknowledge(first)
print(len(first.events), len(consumer.fetch(1000, 30).events), flush=True)
sys.stdin.read()
"""
"""Reads two batches and acknowledges one, and is there until it is killed or the test ends."""


def tick(number: int) -> Tick:
    return Tick("A", number, 1.0, 1.0, number)


def members(url: str) -> dict[str, int]:
    """How many entries each member of the group holds."""
    client = redis.Redis.from_url(url, protocol=2)
    found = client.xinfo_consumers("trading:ticks", GROUP)
    client.close()
    return {member["name"].decode(): int(member["pending"]) for member in found}


def fetched(consumer: RedisConsumer, count: int) -> list[Event]:
    found: list[Event] = []

    def look() -> bool:
        batch = consumer.fetch(wait_seconds=0.1)
        consumer.acknowledge(batch)
        found.extend(batch.events)
        return len(found) >= count

    wait_until(look, "all have come")
    return found


def test_members_that_were_killed_are_gone_after_a_while_and_what_they_held_is_read(
    bus_url: str,
) -> None:
    with RedisBus(bus_url, lease_seconds=LEASE_SECONDS) as bus:
        for number in range(4):
            bus.publish(Stream.TICKS, "A", tick(number))
        killed = subprocess.Popen(
            [sys.executable, "-c", HOLDS, bus_url, "pod-1"],
            cwd=Path(__file__).parents[3], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert killed.stdout is not None
            assert killed.stdout.readline() == "1 3\n"
        finally:
            killed.kill()
            killed.communicate()
        assert members(bus_url) == {"pod-1": 3}
        heir = bus.consume(Stream.TICKS, GROUP, "pod-2")
        assert fetched(heir, 3) == [tick(1), tick(2), tick(3)]

        def is_alone() -> bool:
            heir.fetch(wait_seconds=0)
            return members(bus_url) == {"pod-2": 0}

        wait_until(is_alone, "the dead member is gone")
        bus.publish(Stream.TICKS, "A", tick(4))
        assert fetched(heir, 1) == [tick(4)]


def test_a_member_that_ends_leaves_its_group(bus_url: str) -> None:
    with RedisBus(bus_url) as bus:
        for number in range(3):
            bus.publish(Stream.TICKS, "A", tick(number))
            consumer = bus.consume(Stream.TICKS, GROUP, f"pod-{number}")
            assert fetched(consumer, 1) == [tick(number)]
            assert members(bus_url) == {f"pod-{number}": 0}
            consumer.close()
            assert members(bus_url) == {}


def test_a_member_that_ends_with_something_in_hand_stays_until_that_is_taken_over(
    bus_url: str,
) -> None:
    with RedisBus(bus_url) as bus:
        bus.publish(Stream.TICKS, "A", tick(0))
        consumer = bus.consume(Stream.TICKS, GROUP, "pod-1")
        assert consumer.fetch().events == [tick(0)]
        consumer.close()
        assert members(bus_url) == {"pod-1": 1}
        heir = bus.consume(Stream.TICKS, GROUP, "pod-2")
        assert fetched(heir, 1) == [tick(0)]


@pytest.mark.parametrize("held", [0, 1])
def test_one_that_is_silent_and_reads_again_is_a_member_again(bus_url: str, held: int) -> None:
    with RedisBus(bus_url, lease_seconds=LEASE_SECONDS) as bus:
        bus.publish(Stream.TICKS, "A", tick(0))
        silent = bus.consume(Stream.TICKS, GROUP, "silent")
        batch = silent.fetch()
        if not held:
            silent.acknowledge(batch)
        other = bus.consume(Stream.TICKS, GROUP, "other")

        def is_alone() -> bool:
            other.fetch(wait_seconds=0)
            return set(members(bus_url)) == {"other"} or bool(
                held and members(bus_url).get("other")
            )

        wait_until(is_alone, "the silent one is gone, or what it held is taken over")
        bus.publish(Stream.TICKS, "A", tick(1))
        assert fetched(silent, 1 + held) == [tick(n) for n in range(1 - held, 2)]
