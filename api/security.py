"""Who asks, and whether they may: one dependency for pages, routes and sockets.

Without keys the API listens on the loopback interface alone, and whoever asks is this machine's
user. A page of another site, open in that user's browser, could ask as well: so the host's name
and the origin have to be our own.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends
from fastapi.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from api.envelope import ApiError
from api.services import Services
from database.api.keys import (
    PREFIX,
    ROLES,
    ApiKey,
    Role,
    hashed,
    is_use_due,
    key_by_id,
    note_use,
)

COOKIE = "trading_session"
"""The desk's cookie; set it with `HttpOnly` and `SameSite=strict`."""

SESSION_SECONDS = 12 * 3_600
"""How long a login of the desk counts."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")

OPEN_PATHS = frozenset({"/v1/health", "/v1/health/live"})
"""What needs no key; `create_app` adds the desk's login page and its files."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        name: For the audit: the key's name, or `local`.
        role: What it allows.
        key_id: The key; None for this machine's user.
    """

    name: str
    role: Role
    key_id: str | None = None

    def may(self, role: Role) -> bool:
        """Whether the caller has at least this role."""
        return ROLES.index(self.role) >= ROLES.index(role)


LOCAL = Caller("local", "admin")
"""This machine's user, where no key is needed."""

ANYBODY = Caller("anybody", "reader")
"""Whoever asks for what needs no key."""


async def authenticated(connection: HTTPConnection) -> Caller:
    """The caller of a request or socket; the app asks it of every route.

    Raises:
        ApiError: The request comes from another site, has no key that counts, or is one too many.
    """
    services: Services = connection.app.state.services
    check_place(connection, services)
    if connection.scope["path"] in connection.app.state.open_paths:
        return ANYBODY
    # Without keys nothing is looked up, and no thread is needed to wait for it.
    caller = LOCAL
    if services.keys_needed:
        caller = await run_in_threadpool(identified, connection, services)
    connection.state.caller = caller
    return caller


CallerOf = Annotated[Caller, Depends(authenticated)]


def requires(role: Role) -> Callable[[Caller], Coroutine[Any, Any, Caller]]:
    """A dependency that lets in those with at least this role, and gives the caller.

    Args:
        role: The least role.
    """

    async def permitted(caller: CallerOf) -> Caller:
        if not caller.may(role):
            raise ApiError(
                403,
                "role_too_low",
                f"The key has the role {caller.role}, but this needs {role}; use one of that role.",
            )
        return caller

    return permitted


Reader = Annotated[Caller, Depends(requires("reader"))]
Trader = Annotated[Caller, Depends(requires("trader"))]
Admin = Annotated[Caller, Depends(requires("admin"))]


def check_place(connection: HTTPConnection, services: Services) -> None:
    """Refuse a request that another site's page makes.

    Raises:
        ApiError: It is one.
    """
    host = _hostname(f"//{connection.headers.get('host', '')}")
    if not services.keys_needed and host not in {*LOOPBACK, *services.hosts}:
        raise ApiError(
            400, "unknown_host", "This server does not serve that host name; use 127.0.0.1."
        )
    origin = connection.headers.get("origin")
    scope = connection.scope
    changes = scope["type"] == "websocket" or scope["method"] not in _SAFE
    if origin is None or not changes:
        return
    if urlsplit(origin).netloc != connection.headers.get("host"):
        raise ApiError(403, "foreign_origin", "The request comes from a page of another site.")


def identified(connection: HTTPConnection, services: Services) -> Caller:
    """The caller by key or cookie, counted against the limit.

    Raises:
        ApiError: No key that counts, or one request too many.
        DatabaseError: Keys cannot be looked up.
    """
    if not services.keys_needed:
        return LOCAL
    key = bearer_key(connection, services) or session_key(connection, services)
    if key is None:
        raise ApiError(
            401,
            "key_needed",
            "A valid API key is needed: send Authorization: Bearer KEY; "
            "trading keys create makes one.",
            {"WWW-Authenticate": "Bearer"},
        )
    count, left = services.window.count(key.id)
    if count > services.requests_per_minute:
        raise ApiError(
            429,
            "too_many_requests",
            f"This key has made {services.requests_per_minute} requests within the minute, which "
            f"is the limit; try again in {left} seconds.",
            {"Retry-After": str(left)},
        )
    return Caller(key.name, key.role, key.id)


def bearer_key(connection: HTTPConnection, services: Services) -> ApiKey | None:
    """The key of the `Authorization` header, when it counts."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None
    return verified(token.strip(), services)


def verified(token: str, services: Services) -> ApiKey | None:
    """The key that a token is, when it counts; compared in constant time."""
    prefix, _, rest = token.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != PREFIX or not key_id.isalnum() or not key_id.isascii():
        return None
    with services.database.connection() as database:
        key = key_by_id(database, key_id)
        stored = b"\0" * 32 if key is None else key.secret_hash
        same = hmac.compare_digest(stored, hashed(secret))
        if key is None or not same or key.revoked_at is not None:
            return None
        if is_use_due(key, datetime.now(UTC)):
            note_use(database, key.id)
        return key


def session_cookie(key: ApiKey, made_at: float | None = None) -> str:
    """The value of the cookie by which the desk knows a key's owner again.

    Signed with the hash of the key's secret, which never leaves the database: it ends with the key.

    Args:
        key: The key.
        made_at: When, in seconds since 1970; now by default.
    """
    expires = int(time.time() if made_at is None else made_at) + SESSION_SECONDS
    return f"{key.id}.{expires}.{_signature(key, expires)}"


def session_key(connection: HTTPConnection, services: Services) -> ApiKey | None:
    """The key of the desk's cookie, when both count."""
    key_id, _, rest = connection.cookies.get(COOKIE, "").partition(".")
    expires, _, signature = rest.partition(".")
    if not (key_id.isalnum() and key_id.isascii() and expires.isdecimal() and expires.isascii()):
        return None
    if len(expires) > 12 or int(expires) < time.time():  # noqa: PLR2004 - digits of a moment
        return None
    with services.database.connection() as database:
        key = key_by_id(database, key_id)
    if key is None or key.revoked_at is not None:
        return None
    same = hmac.compare_digest(_signature(key, int(expires)).encode(), signature.encode())
    return key if same else None


def _signature(key: ApiKey, expires: int) -> str:
    content = f"{key.id}.{expires}".encode()
    return hmac.new(key.secret_hash, content, hashlib.sha256).hexdigest()


def _hostname(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
