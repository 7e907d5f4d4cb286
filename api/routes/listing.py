"""A page of a listing as an answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Request, Response
from msgspec import Meta

from api.envelope import answer
from api.parameters import cursor_of, place_of, services_of
from database.api.listings import Listing, Page, page

_KINDS: dict[str, Any] = {
    "timestamptz": Annotated[datetime, Meta(tz=True)],
    "date": date,
    "bigint": Annotated[int, Meta(ge=0, le=2**63 - 1)],
    # Postgres has no texts with a NUL.
    "text": Annotated[str, Meta(pattern=r"\A[^\x00]*\Z")],
}


def listed(
    request: Request,
    listing: Listing,
    filters: Mapping[str, object],
    *,
    cursor: str | None,
    limit: int,
) -> Response:
    """A page of a listing.

    Args:
        request: The request.
        listing: What is listed.
        filters: Values by filter; None does not filter.
        cursor: As it was sent.
        limit: Rows of the page.

    Raises:
        ParameterError: The cursor is none of this listing.
        DatabaseError: The database does not answer.
    """
    found = page_of(request, listing, filters, cursor=cursor, limit=limit)
    place = None if found.next_place is None else cursor_of(found.next_place)
    return answer(request, found.rows, next_cursor=place)


def page_of(
    request: Request,
    listing: Listing,
    filters: Mapping[str, object],
    *,
    cursor: str | None,
    limit: int,
) -> Page:
    """The rows of a page; see `listed`."""
    kinds = tuple(_KINDS[kind] for kind in listing.types)
    after = place_of(cursor, tuple[kinds])  # type: ignore[valid-type]
    with services_of(request).database.connection() as database:
        return page(database, listing, filters, after=after, limit=limit)


def first_of(request: Request, listing: Listing, filters: Mapping[str, object]) -> Any:  # noqa: ANN401 - a row
    """The first row of a listing, None when there is none."""
    rows = page_of(request, listing, filters, cursor=None, limit=1).rows
    return rows[0] if rows else None
