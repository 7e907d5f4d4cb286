"""What every answer looks like: `{data, meta}`, or `{error: {code, message}}`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from trading.units import plain_text

T = TypeVar("T")

JSON = "application/json"


class Answered(BaseModel):
    """What is common to the parts of an answer."""

    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="null")


class Meta(Answered):
    """What an answer is of.

    Attributes:
        as_of: The moment for which it holds: nothing later is in it.
        fingerprint: Hash of its data: equal means the same data.
        next: The cursor of the next page; None on the last one.
        stale: What of it is old, and why; None when nothing is.
    """

    as_of: AwareDatetime
    fingerprint: Annotated[str, Field(examples=["5f0c6d1b8a9e4c77"])]
    next: str | None = None
    stale: str | None = None


class Answer(Answered, Generic[T]):
    """An answer with data."""

    data: T
    meta: Meta


class Error(Answered):
    """What went wrong.

    Attributes:
        code: For programs; stays the same.
        message: For people: one sentence with the next step.
    """

    code: Annotated[str, Field(examples=["invalid_parameter"])]
    message: Annotated[
        str, Field(examples=["interval='2m' is not one of 1m, 3m, 5m; pass one of them."])
    ]


class ErrorAnswer(Answered):
    """An answer without data."""

    error: Error


ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "The request is none that can be read, or names no host of this server.",
        401: "A key is needed, or the one given does not count.",
        403: "The key's role does not allow it, or the page asking is another site's.",
        404: "There is no such thing.",
        405: "The route has no such method.",
        406: "None of the accepted media types can be had here.",
        409: "It contradicts what is there, or an earlier request with the same idempotency key.",
        413: "The body is larger than any request needs.",
        422: "A parameter has a value that cannot be used.",
        429: "Too many requests with this key; `Retry-After` says when to try again.",
        503: "A service that is needed for it is gone; it is tried again with each request.",
    }.items()
}
"""The errors of every route, for the description."""


class ApiError(Exception):
    """A request cannot be answered.

    Args:
        status: The HTTP status.
        code: For programs.
        message: One sentence for people.
        headers: More of the answer's headers.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        super().__init__(message)


def error_response(error: ApiError) -> Response:
    """An error as it is sent."""
    body = encoded({"error": {"code": error.code, "message": error.message}})
    return Response(body, error.status, {"Cache-Control": "no-store"} | error.headers, JSON)


def fingerprint_of(content: bytes) -> str:
    """A hash of content: equal means the same."""
    return hashlib.sha256(content).hexdigest()[:32]


def answer(
    request: Request,
    data: Any,  # noqa: ANN401 - whatever a route's model takes
    *,
    as_of: datetime | None = None,
    next_cursor: str | None = None,
    stale: str | None = None,
    fingerprint: str | None = None,
) -> Response:
    """An answer with its fingerprint and ETag; 304 to who has it already.

    Args:
        request: The request.
        data: What is asked for, of types that JSON has, dataclasses, dates and UUIDs; or
            `msgspec.Raw`, which is JSON already.
        as_of: The moment for which it holds; now by default.
        next_cursor: Of the next page.
        stale: What of it is old.
        fingerprint: Of the data where they are hashed already.
    """
    body = data if isinstance(data, msgspec.Raw) else msgspec.Raw(encoded(data))
    fingerprint = fingerprint or fingerprint_of(bytes(body))
    meta = {
        "as_of": as_of or datetime.now(UTC),
        "fingerprint": fingerprint,
        "next": next_cursor,
        "stale": stale,
    }
    if (unchanged := not_modified(request, fingerprint, next_cursor, stale)) is not None:
        return unchanged
    headers = validators(fingerprint, next_cursor, stale)
    return Response(msgspec.json.encode({"data": body, "meta": meta}), 200, headers, JSON)


def encoded(data: Any) -> bytes:  # noqa: ANN401 - as orjson takes it
    """Data as JSON; NaN and infinity become null, decimals text in plain notation.

    The text of a decimal reads back exactly.
    """
    plain = msgspec.to_builtins(data, builtin_types=(Decimal,), enc_hook=_plain, str_keys=True)
    return msgspec.json.encode(_with_decimals_as_text(plain))


def _plain(value: object) -> object:
    return value.model_dump() if isinstance(value, BaseModel) else str(value)


def _with_decimals_as_text(value: Any) -> Any:  # noqa: ANN401 - whatever JSON has
    if isinstance(value, dict):
        return {name: _with_decimals_as_text(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_decimals_as_text(item) for item in value]
    return plain_text(value) if isinstance(value, Decimal) else value


def validators(fingerprint: str, *more: str | None) -> dict[str, str]:
    """The headers by which a client asks again only for what changed."""
    tag = fingerprint_of("\0".join([fingerprint, *(part or "" for part in more)]).encode())
    # No store may answer in our place without asking: a restated bar is never served stale.
    return {"ETag": f'"{tag}"', "Cache-Control": "private, no-cache", "Vary": "Accept"}


def not_modified(request: Request, fingerprint: str, *more: str | None) -> Response | None:
    """304 when the client has this version already."""
    headers = validators(fingerprint, *more)
    given = request.headers.get("if-none-match", "")
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    if headers["ETag"] in tags or "*" in tags:
        return Response(status_code=304, headers=headers)
    return None
