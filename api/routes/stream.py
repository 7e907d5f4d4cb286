"""`WS /v1/stream`: live events of the channels and symbols that a client subscribes to.

The client says `{"subscribe": ["bars", "alerts"], "symbols": ["AAPL"]}`, with `"after": {"epoch":
..., "sequence": ...}` of the last message when it was here before. It gets a snapshot, or what it
missed, then updates, at most ten messages a second. Each message has a sequence; `missed` says how
many events of its interest a message leaves out, because newer ones of the same bar or symbol
replaced them or because they are no longer kept. A client that does not read is let go with a
reason.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool
from msgspec import Meta

from api.envelope import ApiError, encoded
from api.hub import EventHub, Interest, News
from api.metrics import Measures
from api.security import Reader, identified
from api.services import Services
from database.errors import DatabaseError
from trading.events import Stream

router = APIRouter(include_in_schema=False)

SEND_SECONDS = 10.0
"""How long a client may take to read a message."""

CHECK_SECONDS = 30.0
"""How often a client's key is checked again, and an `alive` message is sent."""

LONGEST_MESSAGE = 16_384
"""Bytes of what a client may say."""

GOING_AWAY, UNREADABLE, POLICY, TOO_SLOW = 1001, 1007, 1008, 1013


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a client was: of the last message that it got."""

    epoch: Annotated[str, Meta(max_length=64)]
    sequence: Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Subscription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client wants from now on; it replaces what it wanted before."""

    subscribe: Annotated[list[Stream], Meta(min_length=1, max_length=6)]
    symbols: Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(max_length=500)] | None = (
        None
    )
    after: Place | None = None

    @property
    def interest(self) -> Interest:
        """Its channels and symbols."""
        symbols = None if self.symbols is None else frozenset(self.symbols)
        return Interest(frozenset(self.subscribe), symbols)


_DECODER = msgspec.json.Decoder(Subscription)


class ClosedError(Exception):
    """The connection is to be ended.

    Args:
        code: The code of the WebSocket protocol.
        reason: Why, for people.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        super().__init__(reason)


@router.websocket("/v1/stream")
async def stream(websocket: WebSocket, caller: Reader) -> None:
    """Live events, see above."""
    del caller
    await websocket.accept()
    measures: Measures = websocket.app.state.measures
    measures.viewers.inc()
    try:
        await _served(websocket)
    except ClosedError as error:
        measures.dropped.inc(error.code == TOO_SLOW)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(1):
                await websocket.close(error.code, str(error))
    except WebSocketDisconnect:
        pass
    finally:
        measures.viewers.dec()


async def _served(websocket: WebSocket) -> None:
    """Read what the client wants and send what it asks for, until one of the two ends."""
    changed = asyncio.Event()
    wanted: list[Subscription] = []

    async def read() -> None:
        async for subscription in _subscriptions(websocket):
            wanted[:] = [subscription]
            changed.set()

    tasks = [
        asyncio.create_task(work)
        for work in (read(), _send(websocket, wanted, changed), _check(websocket))
    ]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _subscriptions(websocket: WebSocket) -> AsyncIterator[Subscription]:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", GOING_AWAY))
        content = message.get("text") or message.get("bytes") or ""
        if len(content) > LONGEST_MESSAGE:
            raise ClosedError(POLICY, f"A message has more than {LONGEST_MESSAGE} characters.")
        try:
            yield _DECODER.decode(content)
        except msgspec.DecodeError as error:
            raise ClosedError(UNREADABLE, f"That is no subscription: {str(error)[:80]}") from None


async def _send(websocket: WebSocket, wanted: list[Subscription], changed: asyncio.Event) -> None:
    hub: EventHub = websocket.app.state.hub
    await changed.wait()
    position = 0
    interest: Interest | None = None
    while True:
        if changed.is_set():
            changed.clear()
            interest = wanted[0].interest
            kind, news = _first(hub, wanted[0], interest)
            position = news.sequence
            await _told(websocket, hub, kind, news)
        await _next(hub, changed)
        if interest is None or changed.is_set():
            continue
        news = hub.since(position, interest)
        position = news.sequence
        if news.entries or news.missed:
            await _told(websocket, hub, "updates", news)


async def _next(hub: EventHub, changed: asyncio.Event) -> None:
    """Wait for something new, or for another subscription."""
    waits = [asyncio.create_task(hub.ticked()), asyncio.create_task(changed.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def _first(hub: EventHub, wanted: Subscription, interest: Interest) -> tuple[str, News]:
    """What a new subscription is sent first: what it missed, when that is known."""
    after = wanted.after
    if after is not None and after.epoch == hub.epoch and after.sequence <= hub.sequence:
        return "updates", hub.since(after.sequence, interest)
    return "snapshot", hub.snapshot(interest)


async def _told(websocket: WebSocket, hub: EventHub, kind: str, news: News) -> None:
    await _sent(websocket, hub.message(kind, news))


async def _check(websocket: WebSocket) -> None:
    """Now and then see whether the key still counts, and tell that the connection is alive."""
    services: Services = websocket.app.state.services
    hub: EventHub = websocket.app.state.hub
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            await run_in_threadpool(identified, websocket, services)
        except ApiError as error:
            raise ClosedError(POLICY, error.message[:120]) from None
        except DatabaseError:
            pass  # a key that counted counts until it is known not to
        alive: dict[str, Any] = {
            "type": "alive",
            "epoch": hub.epoch,
            "sequence": hub.sequence,
            "sent_at": datetime.now(UTC),
            "lost_since": hub.lost_since,
        }
        await _sent(websocket, encoded(alive).decode())


async def _sent(websocket: WebSocket, text: str) -> None:
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await websocket.send_text(text)
    except TimeoutError:
        reason = f"Too slow: a message was not read within {SEND_SECONDS:g} seconds."
        raise ClosedError(TOO_SLOW, reason) from None
