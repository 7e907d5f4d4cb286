"""Changes are made once: a request that comes again, by its key, gets the first one's answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Header, Request, Response
from pydantic import BaseModel, ConfigDict

from api.envelope import JSON, ApiError, answer, encoded
from api.parameters import services_of
from api.security import Caller
from database.api.answered import Asked, claim, note_answer
from database.connection import Database

IdempotencyKey = Annotated[
    str,
    Header(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$",
        description="Identifies the request: a retry with the same key is not executed again. "
        "Kept for seven days.",
        examples=["a3c1d2f0-6f0e-4b55-9d3c-0a4f3a7c9e21"],
    ),
]


class Body(BaseModel):
    """What a request's body has."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def once(
    request: Request,
    caller: Caller,
    key: str,
    body: BaseModel,
    do: Callable[[Database], Any],
    *,
    status: int = 200,
) -> Response:
    """Do what a request asks for, unless it was done before, and answer.

    What is done in the database and the note of it are one transaction: both are there or neither.

    Args:
        request: The request.
        caller: Who asks.
        key: The caller's name of the request.
        body: What is asked for.
        do: Does it within a transaction and returns the data of the answer.
        status: The HTTP status of success.

    Raises:
        ApiError: The key was used for another request, or the body cannot be kept.
    """
    route = f"{request.method} {request.url.path}"
    digest = hashlib.sha256(_storable(body)).digest()
    asked = Asked(who=caller.key_id or caller.name, key=key, route=route, digest=digest)
    with (
        services_of(request).database.connection() as database,
        database.transaction() as connection,
    ):
        known = claim(connection, asked)
        if known is None:
            data = encoded(do(database))
            note_answer(connection, asked, status, msgspec.json.decode(data))
    if known is None:
        return _response(request, data, status)
    if not known.same:
        raise ApiError(
            409,
            "key_used",
            f"Idempotency-Key {key} was sent with another request; send a new one.",
        )
    response = _response(request, encoded(known.answer), known.status)
    response.headers["Idempotency-Replayed"] = "true"
    return response


def _storable(body: BaseModel) -> bytes:
    """The body as it can be kept: JSON allows texts and numbers that no database takes."""
    try:
        json.dumps(body.model_dump(), allow_nan=False, default=str)
        content = encoded(body)
    except (ValueError, OverflowError, RecursionError):
        content = b"\\u0000"
    if b"\\u0000" in content:
        raise ApiError(
            422,
            "invalid_parameter",
            "The body has a character or number that cannot be stored; send it without "
            "NUL characters, lone surrogates, NaN and Infinity.",
        )
    return content


def _response(request: Request, data: bytes, status: int) -> Response:
    made = answer(request, msgspec.Raw(data))
    return Response(made.body, status, {"Cache-Control": "no-store"}, JSON)
