"""`/v1/stream`: a snapshot, then updates; what was missed is told; nobody waits for the slow."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

import api.routes.stream as stream_route
from api.feed import FeedItem, FeedLostError
from api.hub import EventHub, Interest
from api.services import Services
from database.api.keys import create_key, revoke_key
from database.api.pool import DatabasePool
from database.connection import open_database
from tests.api.conftest import served
from tests.waiting import wait_until
from trading.events import AlertChanged, BarClosed, Event, OrderChanged, Stream, Tick

MINUTE = 60 * 10**9


class Bus:
    """A bus in this process: what a test says comes to everybody who listens."""

    def __init__(self) -> None:
        self.items: list[FeedItem] = []
        self.broken = False
        self.asked: list[Mapping[Stream, str]] = []
        self._offsets = itertools.count()

    def say(self, stream: Stream, *events: Event) -> None:
        for event in events:
            self.items.append(FeedItem(stream, str(next(self._offsets)), event))

    async def events(self, after: Mapping[Stream, str]) -> AsyncIterator[FeedItem | None]:
        self.asked.append(dict(after))
        while not self.broken:
            for item in list(self.items):
                assert item.offset is not None
                if int(item.offset) > int(after.get(item.stream, "-1")):
                    yield item
            yield None
            await asyncio.sleep(0.01)
        raise FeedLostError("cut")


def bar(symbol: str, number: int, revision: int = 0, interval: str = "1m") -> BarClosed:
    ts = number * MINUTE
    return BarClosed(symbol, interval, ts, 1, 2, 0.5, 1.5, 100, ts + MINUTE, revision=revision)


def alert(number: int, message: str = "It fires.") -> AlertChanged:
    return AlertChanged("r", "AAPL", "firing", "warning", message, number, f"r:{number}")


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def services(seeded_url: str, bus: Bus) -> Services:
    return Services(
        database=DatabasePool(seeded_url), lake_dir="/nowhere", keys_needed=False, feed=bus
    )


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    with served(services) as address:
        yield address


def opened(url: str, **more: Any) -> Connection:
    # A frame holds what came since the last one, which is much when much is said.
    return connect(url.replace("http", "ws") + "/v1/stream", max_size=None, **more)


def said(socket: Connection) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(socket.recv(timeout=60))
    return content


def ask(socket: Connection, *channels: str, **more: Any) -> dict[str, Any]:
    socket.send(json.dumps({"subscribe": channels, **more}))
    return said(socket)


def until(socket: Connection, count: int) -> list[dict[str, Any]]:
    """The events of the next messages, until there are so many."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += said(socket)["events"]
    return found


def ends(socket: Connection) -> None:
    """Read until the server ends the connection."""
    while True:
        socket.recv(timeout=60)


def test_a_client_gets_a_snapshot_and_then_updates_of_what_it_wants(url: str, bus: Bus) -> None:
    bus.say(Stream.BARS, bar("AAPL", 1), bar("AAPL", 2), bar("MSFT", 2))
    bus.say(Stream.ALERTS, alert(1))
    wait_until(lambda: httpx.get(f"{url}/v1/health").json()["data"]["last_event_at"], "events")
    with opened(url) as socket:
        first = ask(socket, "bars", symbols=["AAPL"])
        assert first["type"] == "snapshot"
        assert [row["event"]["ts"] for row in first["events"]] == ["1970-01-01T00:02:00.000000Z"]
        bus.say(Stream.ALERTS, alert(2))
        bus.say(Stream.BARS, bar("MSFT", 3), bar("AAPL", 3))
        (only,) = until(socket, 1)
        assert (only["channel"], only["event"]["symbol"]) == ("bars", "AAPL")
        assert only["sequence"] > first["sequence"]
        again = ask(socket, "alerts")
        assert [row["event"]["identity"] for row in again["events"]] == ["r:2"]


def test_a_client_that_comes_back_gets_what_it_missed(url: str, bus: Bus) -> None:
    with opened(url) as socket:
        first = ask(socket, "orders", "bars")
    bus.say(Stream.ALERTS, alert(1))
    bus.say(Stream.BARS, *(bar("AAPL", n) for n in range(5)))
    orders = [
        OrderChanged("a", "o-1", "AAPL", "buy", "10", "FILLED", str(n), n, f"o-1:{n}")
        for n in range(3)
    ]
    bus.say(Stream.ORDERS, *orders)
    wait_until(lambda: len(bus.asked), "the bus is read")
    with opened(url) as listening:
        while len(ask(listening, "orders")["events"]) < 1:
            pass
    place = {"epoch": first["epoch"], "sequence": first["sequence"]}
    with opened(url) as socket:
        socket.send(json.dumps({"subscribe": ["orders", "bars"], "after": place}))
        message = said(socket)
        assert message["type"] == "updates"
        found = message["events"]
        while len(found) < 4:
            found += said(socket)["events"]
        # Each step of an order, and of the bars the newest; the others are counted.
        assert [r["event"]["identity"] for r in found if r["channel"] == "orders"] == [
            "o-1:0", "o-1:1", "o-1:2",
        ]  # fmt: skip
        assert [r["event"]["ts"] for r in found if r["channel"] == "bars"][-1].endswith(
            "04:00.000000Z"
        )
        restarted = ask(socket, "bars", after={"epoch": "another", "sequence": 3})
        assert restarted["type"] == "snapshot"


def test_a_duplicate_event_is_sent_once() -> None:
    hub = EventHub(None)
    for _ in range(2):
        hub.take(FeedItem(Stream.BARS, "1", bar("AAPL", 1)))
    hub.take(FeedItem(Stream.BARS, "2", bar("AAPL", 1, revision=1)))
    news = hub.since(0, Interest(frozenset({Stream.BARS})))
    assert (len(news.entries), news.missed) == (1, 1)
    assert hub.sequence == 2


def test_what_is_no_longer_kept_counts_as_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.hub.KEPT", 10)
    hub = EventHub(None)
    for number in range(25):
        hub.take(FeedItem(Stream.ALERTS, str(number), alert(number)))
    everything = Interest(frozenset({Stream.ALERTS}))
    assert hub.since(0, everything).missed > 0
    assert hub.since(15, everything).missed == 0
    assert [e.sequence for e in hub.since(15, everything).entries] == list(range(16, 26))
    hub.take(replace(FeedItem(Stream.ALERTS, "30", alert(30)), missed=True))
    assert hub.since(20, everything).missed > 0


def test_the_feed_is_taken_up_where_it_broke_and_health_says_what_is_old(
    url: str, bus: Bus
) -> None:
    def bus_state() -> dict[str, Any]:
        parts = httpx.get(f"{url}/v1/health").json()["data"]["parts"]
        (part,) = (part for part in parts if part["name"] == "bus")
        return dict(part)

    bus.say(Stream.ALERTS, alert(1))
    with opened(url) as socket:
        while not ask(socket, "alerts")["events"]:
            pass
        bus.broken = True
        wait_until(lambda: bus_state()["state"] == "down", "the loss is noticed")
        assert bus_state()["since"] is not None
        bus.say(Stream.ALERTS, alert(2))
        bus.broken = False
        wait_until(lambda: bus_state()["state"] == "ok", "the bus is back")
        assert bus.asked[-1] == {Stream.ALERTS: "0"}
        assert [row["event"]["identity"] for row in until(socket, 1)] == ["r:2"]


@pytest.mark.parametrize(
    "wrong",
    ["", "[]", "{}", '{"subscribe": []}', '{"subscribe": ["trades"]}',
     '{"subscribe": ["bars"], "x": 1}',
     '{"subscribe": ["bars"], "after": {"epoch": "e", "sequence": -1}}', "\u0000", "x" * 20_000],
)  # fmt: skip
def test_what_is_no_subscription_ends_the_connection_with_a_reason(url: str, wrong: str) -> None:
    with opened(url) as socket:
        socket.send(wrong)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=60)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code in {1007, 1008}
        assert closed.value.rcvd.reason


def test_a_client_that_does_not_read_is_let_go_and_keeps_nobody_waiting(
    url: str, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_route, "SEND_SECONDS", 0.2)
    raw = socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])))
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    asked = b'{"subscribe": ["alerts"]}'
    raw.sendall(
        b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert b" 101 " in raw.recv(4096)
    raw.sendall(bytes([0x81, 0x80 | len(asked), 0, 0, 0, 0]) + asked)  # masked with zeros
    numbers = iter(range(10**9))
    stop = threading.Event()

    def flood() -> None:
        while not stop.wait(0.005):
            bus.say(Stream.ALERTS, *(alert(next(numbers), "x" * 4_000) for _ in range(50)))
            del bus.items[:-200]

    def dropped() -> bool:
        return "trading_api_stream_dropped_total 1.0" in httpx.get(f"{url}/metrics").text

    with opened(url) as quick:
        ask(quick, "alerts")
        flooding = threading.Thread(target=flood, daemon=True)
        flooding.start()
        try:
            wait_until(lambda: said(quick)["events"] and dropped(), "the slow one is let go")
            assert said(quick)["type"] == "updates"
        finally:
            stop.set()
            flooding.join()
            raw.close()


def test_a_stream_ends_when_its_key_is_revoked(
    services: Services, seeded_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_route, "CHECK_SECONDS", 0.05)
    with open_database(seeded_url) as database:
        key = create_key(database, "viewer", "reader", "test")
        with (
            served(replace(services, keys_needed=True)) as url,
            opened(url, additional_headers={"Authorization": f"Bearer {key}"}) as socket,
        ):
            ask(socket, "bars")
            assert said(socket)["type"] == "alive"
            revoke_key(database, "viewer", "test")
            with pytest.raises(ConnectionClosed) as closed:
                ends(socket)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1008


def test_ticks_are_conflated_by_symbol() -> None:
    hub = EventHub(None)
    for number in range(100):
        hub.take(FeedItem(Stream.TICKS, str(number), Tick("AAPL", number, 1.0, 1.0, number)))
    news = hub.since(0, Interest(frozenset({Stream.TICKS}), frozenset({"AAPL"})))
    assert [entry.sequence for entry in news.entries] == [100]
    assert news.missed == 99
    assert hub.since(0, Interest(frozenset({Stream.TICKS}), frozenset({"MSFT"}))).entries == ()
