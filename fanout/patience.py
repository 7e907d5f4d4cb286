"""A connection to a local server that spares a database which refuses what comes at once.

A Prefect server on SQLite that works with threads answers 503 when a transaction that has read
wants to write after another has written. Creations read first, changes of state do not: so from
the first refusal on this connection creates when it does nothing else. Another process's changes
can still come between. That lock is gone after milliseconds, but Prefect's client waits 2 s before
it asks again, then 4, then 8: a few of those are a third of the time that 240 short runs take.

A server that works on one transaction after the other refuses nothing, and need not be spared.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx

from fanout.prefect_engine.bulk import LOCKED

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds, each jittered by half; after the last one the client's own patience begins."""

PLACES = 4
"""Changes of state that are under way at once when the database is spared; a creation takes all
places. The server, one process, does not become faster by more."""

LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=25)
"""As many connections as Prefect's client opens."""


class PatientTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, but what is refused is sent again, and what may be refused then alone.

    A 503 without `Retry-After` is asked again a few times, soon. After the first refusal creations
    wait for changes of state under way, and those for them.
    """

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - httpx's own
        super().__init__(**settings)
        self._refused = False
        self._places = asyncio.Semaphore(PLACES)
        self._all_places = asyncio.Lock()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; of several answers the last one is returned."""
        if request.method == "GET" or not self._refused:
            return await self._ask(request)
        if request.url.path.endswith(("/set_state", "/filter")):
            async with self._places:
                return await self._ask(request)
        async with self._all_places, AsyncExitStack() as taken:
            for _ in range(PLACES):
                await taken.enter_async_context(self._places)
            return await self._ask(request)

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        for pause in PAUSES:
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            if "Retry-After" in response.headers:
                break
            self._refused = True
            await response.aclose()
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - only spreads
            response = await super().handle_async_request(request)
        if request.url.path.endswith("/bulk") and LOCKED in await response.aread():
            self._refused = True
        return response


def client_settings(api_url: str) -> dict[str, httpx.AsyncBaseTransport]:
    """What httpx has to be told to be patient with the server at `api_url`, if it is local.

    A remote one may sit behind TLS and proxies, which a transport of our own would not know.
    """
    if not _is_loopback(urlsplit(api_url).hostname or ""):
        return {}
    return {"transport": PatientTransport(limits=LIMITS, retries=3)}


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
