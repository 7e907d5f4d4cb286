"""The connection to a real server, listened to and made faulty where httpx leaves the process."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, Settings, temporary_settings

Send = Callable[[], Awaitable[httpx.Response]]
Fault = Callable[[httpx.Request, Send], Awaitable[httpx.Response]]

BULK_CREATE = "create_flow_run/bulk"
BULK_SET_STATE = "bulk_set_state"

_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Wire:
    """Requests on their way to the server.

    Attributes:
        requests: What was sent, in order.
    """

    requests: list[httpx.Request] = field(default_factory=list)
    _faults: list[tuple[str, Fault]] = field(default_factory=list)
    _constant: list[tuple[str, Fault]] = field(default_factory=list)

    def attach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand between every client of this process and the network."""
        real = httpx.AsyncHTTPTransport.handle_async_request

        async def handle(
            transport: httpx.AsyncHTTPTransport, request: httpx.Request
        ) -> httpx.Response:
            self.requests.append(request)
            fault = self._next_fault(request.url.path)
            send = partial(_patiently, partial(real, transport, request))
            return await send() if fault is None else await fault(request, send)

        monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", handle)

    def disturb(self, path: str, *faults: Fault) -> None:
        """Let the next requests to `path` meet these faults, one each."""
        self._faults += [(path, fault) for fault in faults]

    def disturb_always(self, path: str, fault: Fault) -> None:
        """Let every request to `path` meet this fault."""
        self._constant.append((path, fault))

    def allow(self) -> None:
        """Let every request pass again."""
        self._faults.clear()
        self._constant.clear()

    def _next_fault(self, path: str) -> Fault | None:
        for index, (disturbed, fault) in enumerate(self._faults):
            if disturbed in path:
                del self._faults[index]
                return fault
        return next((fault for disturbed, fault in self._constant if disturbed in path), None)

    def bodies(self, path: str) -> list[Any]:
        """The JSON bodies of the requests to `path`."""
        return [json.loads(r.content) for r in self.requests if path in r.url.path]

    def counts(self) -> Counter[str]:
        """How often each route was asked."""
        return Counter(f"{r.method} {_ID.sub('{id}', r.url.path)}" for r in self.requests)

    def about(self, flow_run_id: UUID) -> list[httpx.Request]:
        """The requests about one flow run alone."""
        return [r for r in self.requests if str(flow_run_id) in r.url.path]


async def _patiently(send: Send) -> httpx.Response:
    """Wait out the locks of the database that tests in other processes hold.

    A test counts requests and places its own faults; those of chance would blur both.
    """
    for _ in range(100):
        reply = await send()
        await reply.aread()
        if reply.status_code != 503 and b"database is locked" not in reply.content:
            break
        await asyncio.sleep(0.1)
    return reply


async def lose_reply(request: httpx.Request, send: Send) -> httpx.Response:
    """The server does what it is asked; its answer does not arrive."""
    await (await send()).aread()
    raise httpx.ReadError("connection reset by peer", request=request)


async def refuse_connection(request: httpx.Request, send: Send) -> httpx.Response:
    """Nobody listens."""
    raise httpx.ConnectError("connection refused", request=request)


def answer(status: int, headers: dict[str, str] | None = None) -> Fault:
    """The server, or a proxy before it, answers with this status and does nothing."""

    async def fault(request: httpx.Request, send: Send) -> httpx.Response:
        return httpx.Response(status, headers=headers, json={"detail": "later"}, request=request)

    return fault


def fail_items(every: int, error: str = "(sqlite3.OperationalError) database is locked") -> Fault:
    """Every n-th item of a bulk creation fails; the server creates the others."""

    async def fault(request: httpx.Request, send: Send) -> httpx.Response:
        items = json.loads(request.content)
        kept = [item for index, item in enumerate(items) if index % every]
        results: list[Any] = []
        if kept:
            passed_on = httpx.Request(
                request.method, request.url, headers=_headers(request), json=kept
            )
            reply = await _send_instead(request, passed_on, send)
            results = reply["results"]
        for index in range(0, len(items), every):
            results.insert(index, {"status": "FAILED", "error": error, "flow_run_id": None})
        return httpx.Response(200, json={"results": results}, request=request)

    return fault


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    fresh = {"content-length", "content-type"}
    return [(k, v) for k, v in request.headers.items() if k.lower() not in fresh]


async def _send_instead(request: httpx.Request, other: httpx.Request, send: Send) -> Any:
    """Send `other` over the connection of `request`."""
    request.stream, request.headers = other.stream, other.headers
    reply = await send()
    return json.loads(await reply.aread())


def no_client_retries() -> AbstractContextManager[Settings]:
    """Leave it to the code under test to send a request again."""
    return temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0})
