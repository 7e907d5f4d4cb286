"""The events of a real bus as the API reads them, and the desk while that bus is dead."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
import redis
from websockets.sync.client import connect

from api.feed import FeedItem, FeedLostError
from cli.live_feed import BusFeed
from live.bus.opening import open_bus
from live.bus.retention import Retention
from servers.valkey import local_valkey
from tests.api.desk.conftest import desk_url, filled  # noqa: F401 - fixtures
from tests.api.desk.server import desk_server
from tests.api.shared_valkey import killed_at_the_end
from tests.live.conftest import bus_url, valkey  # noqa: F401 - fixtures
from tests.waiting import WAIT_SECONDS, wait_until
from trading.events import Stream, Tick


def tick(number: int) -> Tick:
    return Tick("AAPL", number, 10.0 + number, 100.0, number)


def publish(url: str, *numbers: int) -> None:
    with open_bus(url) as bus:
        bus.publish_many(Stream.TICKS, [("AAPL", tick(number)) for number in numbers])


async def heard(url: str, after: Mapping[Stream, str], count: int) -> list[FeedItem]:
    """The first events of a feed; the bus says that it answers while there are none."""
    found: list[FeedItem] = []
    async with asyncio.timeout(WAIT_SECONDS):
        events = BusFeed(url).events(after)
        async for item in events:
            found += [] if item is None else [item]
            if len(found) >= count:
                break
        await events.aclose()  # type: ignore[attr-defined]
    return found


def numbers(items: list[FeedItem]) -> list[object]:
    return [getattr(item.event, "ts", None) for item in items]


async def test_it_begins_with_the_last_events_and_goes_on_behind_an_offset(
    bus_url: str,  # noqa: F811 - the fixture
) -> None:
    publish(bus_url, 1, 2, 3)
    first = await heard(bus_url, {}, 3)
    assert numbers(first) == [1, 2, 3]
    assert [item.stream for item in first] == [Stream.TICKS] * 3
    place = first[-1].offset
    assert place is not None
    # Within a batch there is no place: who came back to it would pass over what is behind.
    assert [item.offset for item in first[:2]] == [None, None]
    listening = asyncio.create_task(heard(bus_url, {Stream.TICKS: place}, 2))
    await asyncio.to_thread(publish, bus_url, 4, 5)
    assert numbers(await listening) == [4, 5]


async def test_what_was_forgotten_meanwhile_is_said_to_be_missed(
    bus_url: str,  # noqa: F811 - the fixture
) -> None:
    publish(bus_url, 1)
    (first,) = await heard(bus_url, {}, 1)
    assert first.offset is not None
    publish(bus_url, 2)
    server = redis.Redis.from_url(bus_url)
    with open_bus(bus_url, Retention(ticks_hours=0)) as forgetful:
        last = int(forgetful.read_latest(Stream.TICKS).offset.split("-")[0]) + 2
        wait_until(lambda: server.time()[0] * 1000 + server.time()[1] // 1000 > last, "time passes")
        forgetful.trim()
    publish(bus_url, 3)
    (found,) = await heard(bus_url, {Stream.TICKS: first.offset}, 1)
    assert (numbers([found]), found.missed) == ([3], True)


async def test_a_bus_that_is_not_there_is_a_lost_feed(tmp_path: Path) -> None:
    with pytest.raises(FeedLostError):
        await heard(f"unix://{tmp_path}/none.sock", {}, 1)


def test_while_the_bus_is_dead_api_and_desk_say_what_is_old_and_recover(
    desk_url: str,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    folder = tmp_path / ("long-" * 20) / "valkey"  # its socket cannot be in it
    with contextlib.ExitStack() as running:
        with killed_at_the_end(folder) as server:
            publish(server.url, 1)
            desk = desk_server(desk_url, str(tmp_path), feed=BusFeed(server.url))
            address = running.enter_context(desk)
            wait_until(lambda: health(address)["last_event_at"], "the first event")
            assert bus_state(address) == "ok"
            assert stale_prices(address) == 0
            assert "has not answered" not in page(address)
        wait_until(lambda: bus_state(address) == "down", "the loss is noticed")
        assert health(address)["old"] == ["live events: nothing new arrives"]
        wait_until(lambda: "The bus has not answered since" in page(address), "the banner")
        assert stale_prices(address) > 0
        socket = running.enter_context(connect(address.replace("http", "ws") + "/v1/stream"))
        socket.send(json.dumps({"subscribe": ["ticks"]}))
        assert json.loads(socket.recv(timeout=WAIT_SECONDS))["lost_since"] is not None
        assert running.enter_context(local_valkey(folder)).url == server.url
        publish(server.url, 2)
        update = json.loads(socket.recv(timeout=WAIT_SECONDS))
        while not update["events"]:
            update = json.loads(socket.recv(timeout=WAIT_SECONDS))
        assert update["lost_since"] is None
        assert [row["event"]["price"] for row in update["events"]] == [12.0]
        wait_until(lambda: bus_state(address) == "ok", "it is found again")
        wait_until(lambda: "has not answered" not in page(address), "the banner goes")
        assert stale_prices(address) == 0


def health(address: str) -> dict[str, object]:
    data: dict[str, object] = httpx.get(f"{address}/v1/health").json()["data"]
    return data


def bus_state(address: str) -> str:
    parts = health(address)["parts"]
    assert isinstance(parts, list)
    return next(str(part["state"]) for part in parts if part["name"] == "bus")


def page(address: str) -> str:
    return httpx.get(address).text


def stale_prices(address: str) -> int:
    """How many of the watch list's prices are marked as older than they should be."""
    rows = page(address).partition('data-list="watch"')[2].partition("</tbody>")[0]
    assert "<tr" in rows
    return len(re.findall(r'class="v [^"]*stale', rows))
