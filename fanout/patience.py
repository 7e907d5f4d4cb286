"""A connection to a local server that asks again, soon, when its database is locked.

A Prefect server on SQLite answers 503 when two of its transactions want to write at once; the
lock is gone after milliseconds. Prefect's client waits 2 s before it asks again, then 4, then 8:
a few of those are a third of the time that 240 short runs take.
"""

from __future__ import annotations

import asyncio
import random
from ipaddress import ip_address
from urllib.parse import urlsplit

import httpx

PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds, each jittered by half; after the last one the client's own patience begins."""

LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=16, keepalive_expiry=25)
"""As many connections as Prefect's client opens."""


class PatientTransport(httpx.AsyncHTTPTransport):
    """httpx's transport, but a 503 without `Retry-After` is asked again a few times, soon."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request; of several answers the last one is returned."""
        response = await super().handle_async_request(request)
        for pause in PAUSES:
            if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                return response
            if "Retry-After" in response.headers:
                return response
            await response.aclose()
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - only spreads
            response = await super().handle_async_request(request)
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
