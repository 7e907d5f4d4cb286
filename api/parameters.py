"""Parameters that several routes take, checked before anything is read."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import Path, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from api.bars.reading import FIRST
from api.services import Services
from trading.errors import ParameterError, shown
from trading.instruments.clock import midnight
from trading.instruments.symbols import CONTRACT_PATTERN

DEFAULT_ROWS, MOST_ROWS = 100, 1_000

LAST = datetime(2200, 1, 1, tzinfo=UTC)
"""Behind every row."""

SymbolPath = Annotated[
    str,
    Path(pattern=CONTRACT_PATTERN, max_length=32, description="A symbol.", examples=["AAPL"]),
]
Symbol = Annotated[
    str | None,
    Query(pattern=CONTRACT_PATTERN, max_length=32, description="Of this symbol alone."),
]
Name = Annotated[
    str | None,
    Query(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$", description="Only of this subject."),
]
Start = Annotated[
    str | None,
    Query(
        max_length=40,
        description="First New York date, or first moment with its UTC offset.",
        examples=["2024-01-02", "2024-01-02T14:30:00Z"],
    ),
]
End = Annotated[
    str | None,
    Query(
        max_length=40,
        description="Last New York date, included, or the moment before which rows are.",
        examples=["2024-12-31"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=MOST_ROWS, description="Rows of a page.")]
Cursor = Annotated[
    str | None, Query(max_length=1_000, description="`meta.next` of the page before.")
]


def services_of(request: Request) -> Services:
    """What the app works with."""
    services: Services = request.app.state.services
    return services


async def check_names(connection: HTTPConnection) -> None:
    """Refuse query parameters that the route does not take: a misspelt one would be lost unseen.

    Raises:
        ParameterError: There is one.
    """
    if connection.scope["type"] == "websocket" or not connection.query_params:
        return
    app, path = connection.app, connection.scope["route"].path
    description = app.openapi_schema or await run_in_threadpool(app.openapi)
    route = description["paths"].get(path, {}).get(connection.scope["method"].lower())
    if route is None:
        return
    taken = [one["name"] for one in route.get("parameters", ()) if one["in"] == "query"]
    for name, value in connection.query_params.items():
        if name not in taken:
            allowed = f"a parameter of {path}, which takes {', '.join(taken) or 'none'}"
            raise ParameterError(shown(name)[1:-1], value, allowed, "leave it out or mend its name")


def moment(value: str | None, parameter: str, *, end: bool = False) -> datetime | None:
    """A parameter's moment in UTC: a New York date's first, or the one behind its last.

    Args:
        value: As it was sent; None for none.
        parameter: Its name.
        end: Whether a date means the moment behind it.

    Raises:
        ParameterError: It is neither a date nor a moment with an offset, or of no plausible year.
    """
    if value is None:
        return None
    try:
        found = _read(value, end=end)
    except (ValueError, OverflowError):
        found = None
    if found is None or not FIRST <= found <= LAST:
        allowed = "a date like 2024-01-02 or a moment like 2024-01-02T14:30:00Z, from 1900 to 2199"
        raise ParameterError(parameter, value, allowed, "pass one of these")
    return found


def _read(value: str, *, end: bool) -> datetime | None:
    if len(value) == len("2024-01-02"):
        day = date.fromisoformat(value) + timedelta(days=1 if end else 0)
        return midnight(day).astimezone(UTC)
    # What a form makes of the plus sign.
    found = datetime.fromisoformat(value.replace(" ", "+"))
    return None if found.utcoffset() is None else found.astimezone(UTC)


def window(start: str | None, end: str | None) -> tuple[datetime, datetime]:
    """The moments [first, end) that two parameters mean.

    Raises:
        ParameterError: One cannot be used, or the end is before the start.
    """
    first = moment(start, "start") or FIRST
    last = moment(end, "end", end=True) or LAST
    if last < first:
        raise ParameterError("end", end, f"at or after start={start}", "exchange the two")
    return first, last


def cursor_of(place: Any) -> str:  # noqa: ANN401 - whatever a listing is ordered by
    """A place in a listing as the text that clients send back."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(cursor: str | None, kind: type[Any]) -> Any:  # noqa: ANN401 - of that type
    """The place that a cursor names; None for none.

    Args:
        cursor: As it was sent.
        kind: What a place is, as msgspec takes it.

    Raises:
        ParameterError: It is no cursor of this listing.
    """
    if cursor is None:
        return None
    try:
        content = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(content, type=kind)
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise ParameterError(
            "cursor", cursor, "a cursor of this listing", "pass meta.next of the page before"
        ) from None
