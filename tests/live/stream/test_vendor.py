"""Vendors' streams against stand-ins, which the vendors' own clients prove faithful."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alpaca.data.live import StockDataStream
from massive import WebSocketClient
from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError
from adapters.market_data.rest.alpaca import AlpacaSource
from adapters.market_data.streaming.alpaca import AlpacaTrades
from adapters.market_data.streaming.polygon import PolygonTrades
from adapters.market_data.streaming.protocol import TradeStream
from live.stream.vendor import VendorTicks
from tests.adapters import alpaca_server
from tests.adapters.alpaca_server import AlpacaServer
from tests.adapters.json_server import Answer
from tests.adapters.pacers import paced
from tests.adapters.stream_servers import (
    KEY_ID,
    POLYGON_KEY,
    SECRET,
    AlpacaStreamServer,
    PolygonStreamServer,
    StreamServer,
    running,
)
from tests.waiting import wait_until
from trading.bars.folding.fold import Fold
from trading.events import CLOCK, Tick

OPEN = datetime(2024, 7, 3, 13, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@dataclass
class Clock:
    """The time, which stands until a test moves it."""

    at: datetime = OPEN

    def __call__(self) -> int:
        return nanoseconds(self.at)


def nanoseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6) * 1000


@pytest.fixture(params=["alpaca", "polygon"])
def server(request: pytest.FixtureRequest) -> Iterator[StreamServer]:
    made = AlpacaStreamServer() if request.param == "alpaca" else PolygonStreamServer()
    with running(made) as one:
        yield one


@pytest.fixture
def rest() -> Iterator[AlpacaServer]:
    made = AlpacaServer()
    with made.running():
        yield made


def protocol(server: StreamServer, key: str | None = None) -> TradeStream:
    if isinstance(server, AlpacaStreamServer):
        return AlpacaTrades(SecretStr(KEY_ID), SecretStr(key or SECRET), url=server.url)
    assert isinstance(server, PolygonStreamServer)
    return PolygonTrades(SecretStr(key or POLYGON_KEY), url=server.url)


def opened(
    server: StreamServer, rest: AlpacaServer, clock: Clock, *, after: datetime, stale: float = 1e6
) -> VendorTicks:
    source = AlpacaSource(
        SecretStr(alpaca_server.KEY_ID), SecretStr(alpaca_server.SECRET),
        data_url=rest.url, trading_url=rest.url, pacer=paced(1_000)[0],
    )  # fmt: skip
    return VendorTicks(
        protocol(server), source, ["AAPL"], stale_seconds=stale, after=nanoseconds(after),
        now=clock, settled_seconds=0,
    )  # fmt: skip


def until(ticks: VendorTicks, found: Any, what: str, taken: list[Tick] | None = None) -> list[Tick]:
    """Take until something holds of what was taken."""
    taken = [] if taken is None else taken

    def look() -> bool:
        taken.extend(ticks.take(0.05))
        return bool(found(taken))

    wait_until(look, what, 60)
    return taken


def subscribed(
    server: StreamServer, ticks: VendorTicks, *symbols: str, taken: list[Tick] | None = None
) -> list[Tick]:
    """Take until the server tells these symbols, and the stream has read that it does."""
    wanted = set(symbols)
    return until(
        ticks,
        lambda _: server.subscribed() == wanted and not ticks.figures()["unconfirmed"],
        "it has subscribed",
        taken,
    )


def trades(taken: Sequence[Tick]) -> list[tuple[str, float]]:
    return [(t.symbol, t.price) for t in taken if t.symbol != CLOCK and t.minute is None]


def told(taken: Sequence[Tick]) -> list[int]:
    return [t.ts for t in taken if t.symbol == CLOCK]


def row(server: Any, price: float, number: int, at: datetime = OPEN) -> dict[str, Any]:
    made: dict[str, Any] = server.row("AAPL", at, price, 5, number)
    return made


def minute_row(at: datetime, price: float) -> dict[str, Any]:
    return {
        "t": at.isoformat().replace("+00:00", "Z"), "o": price, "h": price + 1, "l": price - 1,
        "c": price, "v": 100, "vw": price, "n": 3,
    }  # fmt: skip


def test_trades_and_the_time_come_in_order(server: StreamServer, rest: AlpacaServer) -> None:
    clock = Clock(OPEN - MINUTE)
    ticks = opened(server, rest, clock, after=OPEN - 2 * MINUTE)
    subscribed(server, ticks, "AAPL")
    clock.at = OPEN + timedelta(seconds=1)
    server.trade("AAPL", row(server, 190.5, 7, OPEN + timedelta(milliseconds=5)))
    taken = until(ticks, trades, "the trade")
    (tick,) = [t for t in taken if t.symbol == "AAPL"]
    assert (tick.price, tick.size) == (190.5, 5.0)
    assert tick.ts == nanoseconds(OPEN + timedelta(milliseconds=5))
    taken = until(ticks, lambda seen: clock() in told(seen), "the time", taken)
    assert told(taken) == sorted(told(taken))
    ticks.close()


def test_symbols_change_on_the_connection_that_there_is(
    server: StreamServer, rest: AlpacaServer
) -> None:
    clock = Clock(OPEN - MINUTE)
    ticks = opened(server, rest, clock, after=OPEN - 2 * MINUTE)
    subscribed(server, ticks, "AAPL")
    ticks.subscribe(["BRK-B", "MSFT"])
    subscribed(server, ticks, "BRK.B", "MSFT")
    assert server.logins == 1
    server.trade("BRK.B", {**row(server, 400.0, 1), "S": "BRK.B", "sym": "BRK.B"})
    assert trades(until(ticks, trades, "the trade")) == [("BRK-B", 400.0)]
    ticks.close()


def test_a_wrong_key_is_said_at_once_and_nowhere_repeated(
    server: StreamServer, rest: AlpacaServer
) -> None:
    clock = Clock()
    ticks = opened(server, rest, clock, after=OPEN)
    ticks._stream = protocol(server, "wr0ng-key")
    with pytest.raises(AccessError, match=r"refuses: auth.*correct TRADING_") as refused:
        until(ticks, lambda _: False, "nothing")
    assert "wr0ng" not in str(refused.value)


def test_a_drop_in_mid_bar_is_filled_by_rest_before_the_time_goes_on(
    server: StreamServer, rest: AlpacaServer
) -> None:
    clock = Clock(OPEN + timedelta(seconds=1))
    ticks = opened(server, rest, clock, after=OPEN)
    # The first connection comes in mid-minute as well: that minute is fetched when it is over.
    log = subscribed(server, ticks, "AAPL")
    assert not told(log)
    clock.at = OPEN + timedelta(seconds=60)
    until(ticks, told, "the first gap is filled", log)
    clock.at = OPEN + timedelta(seconds=65)
    server.trade("AAPL", row(server, 101.0, 1, OPEN + timedelta(seconds=63)))
    until(ticks, lambda seen: trades(seen) and told(seen)[-1] == clock(), "a trade", log)
    server.drop()
    lost_at = told(log)[-1]
    clock.at = OPEN + timedelta(seconds=185)
    rest.faults.append(Answer(500, "{}"))
    rest.bars["AAPL", "1Min", "iex"] += [
        minute_row(OPEN + minutes * MINUTE, 200.0 + minutes) for minutes in range(1, 4)
    ]
    until(ticks, lambda _: server.logins == 2, "it is back", log)
    subscribed(server, ticks, "AAPL", taken=log)
    server.trade("AAPL", row(server, 150.0, 2, OPEN + timedelta(seconds=186)))
    until(ticks, lambda _: ticks.figures()["filling_gap"], "the gap is being filled", log)
    assert told(log)[-1] == lost_at
    clock.at = OPEN + timedelta(seconds=240)
    until(ticks, lambda seen: told(seen)[-1] == clock(), "the gap is filled", log)
    bars = [
        (bar.ts, bar.close, bar.revision)
        for bar in Fold().take([*log, Tick(CLOCK, clock() + 10**10, 0.0, 0.0, 0)])
        if bar.interval == "1m"
    ]
    assert bars == [
        (nanoseconds(OPEN + minutes * MINUTE), 200.0 + minutes, 0) for minutes in range(1, 4)
    ]
    assert ticks.figures()["reconnects"] == 1
    ticks.close()


def test_a_connection_that_is_mute_in_a_session_is_made_anew(
    server: StreamServer, rest: AlpacaServer
) -> None:
    clock = Clock(OPEN - MINUTE)
    ticks = opened(server, rest, clock, after=OPEN - 2 * MINUTE, stale=30)
    subscribed(server, ticks, "AAPL")
    clock.at = OPEN + timedelta(seconds=29)
    until(ticks, lambda seen: clock() in told(seen), "silence that is not long enough")
    assert ticks.figures()["stale"] == 0
    clock.at = OPEN + timedelta(seconds=31)
    until(ticks, lambda _: server.logins == 2, "a new connection")
    assert ticks.figures()["stale"] == 1
    ticks.close()


def test_silence_outside_a_session_is_no_fault(server: StreamServer, rest: AlpacaServer) -> None:
    clock = Clock(OPEN - timedelta(hours=3))
    ticks = opened(server, rest, clock, after=OPEN - timedelta(hours=4), stale=1)
    subscribed(server, ticks, "AAPL")
    clock.at += timedelta(hours=1)
    until(ticks, lambda seen: clock() in told(seen), "the time goes on")
    assert (ticks.figures()["stale"], server.logins) == (0, 1)
    ticks.close()


def test_a_server_that_greets_nobody_is_tried_again(
    server: StreamServer, rest: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.stream.vendor.ANSWER_SECONDS", 0.2)
    server.mute = True
    clock = Clock(OPEN - MINUTE)
    ticks = opened(server, rest, clock, after=OPEN - 2 * MINUTE)
    until(ticks, lambda _: ticks.figures()["reconnects"] >= 1, "a time-out")
    server.mute = False
    subscribed(server, ticks, "AAPL")
    ticks.close()


def test_what_a_slow_server_did_not_tell_yet_is_part_of_the_gap(
    server: StreamServer, rest: AlpacaServer
) -> None:
    clock = Clock(OPEN + timedelta(seconds=58))
    rest.bars["AAPL", "1Min", "iex"] += [minute_row(OPEN, 200.0), minute_row(OPEN + MINUTE, 201.0)]
    server.prompt.clear()
    ticks = opened(server, rest, clock, after=OPEN)
    until(ticks, lambda _: server.logins == 1 and ticks.figures()["filling_gap"], "it has asked")
    # The first minute is over and fetched, and trades of the second one are told to nobody yet.
    clock.at = OPEN + timedelta(seconds=65)
    until(ticks, lambda _: rest.requests, "the gap is asked for")
    log = until(ticks, lambda _: True, "a look")
    assert not told(log)
    server.prompt.set()
    subscribed(server, ticks, "AAPL", taken=log)
    assert not told(log)
    clock.at = OPEN + timedelta(seconds=120)
    until(ticks, told, "the gap is filled", log)
    made = Fold().take([*log, Tick(CLOCK, clock() + 10**10, 0.0, 0.0, 0)])
    closes = [(bar.ts, bar.close) for bar in made if bar.interval == "1m"]
    assert closes == [(nanoseconds(OPEN), 200.0), (nanoseconds(OPEN + MINUTE), 201.0)]
    assert ticks.figures()["gaps"] == 1
    ticks.close()


def test_a_symbol_that_is_never_confirmed_holds_back_no_busy_one(
    server: StreamServer, rest: AlpacaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("live.stream.vendor.ANSWER_SECONDS", 0.5)
    server.unknown.add("MSFT")
    clock = Clock(OPEN - timedelta(hours=1))
    ticks = opened(server, rest, clock, after=OPEN - timedelta(hours=2))
    ticks.subscribe(["AAPL", "MSFT"])
    until(ticks, lambda _: server.subscribed() == {"AAPL"}, "it has subscribed")
    numbers = itertools.count()

    def trade_on(seen: list[Tick]) -> bool:
        # There is something to read at every look.
        for number in itertools.islice(numbers, 20):
            server.trade("AAPL", row(server, 150.0, number))
        return bool(trades(seen))

    until(ticks, trade_on, "trades are told")
    ticks.close()


def test_words_that_are_no_trade_lose_the_connection_and_nothing_else(
    server: StreamServer, rest: AlpacaServer
) -> None:
    clock = Clock(OPEN - MINUTE)
    ticks = opened(server, rest, clock, after=OPEN - 2 * MINUTE)
    subscribed(server, ticks, "AAPL")
    lacking = row(server, 1.0, 1)
    del lacking["p"]
    server.trade("AAPL", lacking)
    until(ticks, lambda _: server.logins == 2, "a new connection")
    ticks.close()


def test_the_stand_in_serves_alpacas_own_client() -> None:
    seen: list[Any] = []
    with running(AlpacaStreamServer()) as server:
        assert isinstance(server, AlpacaStreamServer)
        client = StockDataStream(KEY_ID, SECRET, url_override=server.url)

        async def take(trade: Any) -> None:
            seen.append(trade)

        client.subscribe_trades(take, "AAPL")
        thread = threading.Thread(target=client.run, daemon=True)
        thread.start()
        wait_until(lambda: server.subscribed() == {"AAPL"}, "it has subscribed", 60)
        server.trade("AAPL", server.row("AAPL", OPEN, 190.5, 5, 7))
        wait_until(lambda: seen, "the trade", 60)
        # It waits for five seconds, and may by then be waiting for the next message.
        with contextlib.suppress(TimeoutError):
            client.stop()
        thread.join(60)
    assert (seen[0].symbol, seen[0].price, seen[0].size, seen[0].id) == ("AAPL", 190.5, 5, 7)
    assert seen[0].timestamp == OPEN


def test_the_stand_in_serves_polygons_own_client() -> None:
    seen: list[Any] = []

    came = asyncio.Event()

    async def listen(server: PolygonStreamServer) -> None:
        client = WebSocketClient(
            POLYGON_KEY, feed=f"127.0.0.1:{server.port}", secure=False, subscriptions=["T.AAPL"]
        )

        async def take(messages: list[Any]) -> None:
            seen.extend(messages)
            came.set()

        task = asyncio.create_task(client.connect(take))
        await asyncio.to_thread(wait_until, server.subscribed, "it has subscribed", 60)
        server.trade("AAPL", server.row("AAPL", OPEN, 190.5, 5, 7))
        await came.wait()
        await client.close()
        task.cancel()

    with running(PolygonStreamServer()) as server:
        assert isinstance(server, PolygonStreamServer)
        asyncio.run(asyncio.wait_for(listen(server), 60))
    assert (seen[0].symbol, seen[0].price, seen[0].size) == ("AAPL", 190.5, 5)
    assert seen[0].sequence_number == 7
