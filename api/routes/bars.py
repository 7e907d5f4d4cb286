"""Bars: as JSON, Arrow IPC or Parquet."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec
import pyarrow as pa
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AwareDatetime

from api.bars.formats import ARROW, PARQUET, accepted, as_bytes
from api.bars.reading import (
    BRONZE,
    Plan,
    Series,
    bars_of,
    chosen_source,
    dataset_of,
    plan,
)
from api.bars.series import check_known
from api.bars.stored_files import WritingTimes
from api.envelope import JSON, Answer, Answered, answer, fingerprint_of, not_modified, validators
from api.parameters import Cursor, End, Start, SymbolPath, cursor_of, place_of, services_of, window
from api.services import Services
from database.connection import Database
from database.errors import DatabaseError
from storage.directory import Directory, open_directory
from storage.errors import FileError
from trading.bars.intervals import Interval

router = APIRouter(prefix="/v1", tags=["market data"])

MOST_BARS = 50_000

NO_DATABASE = "The database cannot be reached: live bars are missing."
NO_LAKE = "The lake cannot be read: older or restated bars may be missing."

_TIMES = WritingTimes()
_LOG = logging.getLogger(__name__)

TABLE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON, or the rows alone as Arrow IPC stream or Parquet; then the meta data "
        "are in the headers X-As-Of, X-Fingerprint, X-Next and X-Stale.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in (ARROW, PARQUET)
        },
    },
    304: {"description": "Nothing has changed since the version that `If-None-Match` names."},
}


class Bar(Answered):
    """One bar.

    Attributes:
        timestamp: Its start; it covers the time from there to its end.
        open: First price in dollars, not adjusted.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Shares.
        vwap: Volume-weighted price; None where the source has none.
        trades: Number of trades; None where the source has none.
        source: Who delivered it; `silver` or `silver_days` of a bar that is made of others,
            `live` of one that a live window closed and no source has delivered yet.
    """

    timestamp: AwareDatetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    vwap: float | None
    trades: float | None
    source: str


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes of an answer, and what is said of them.

    Attributes:
        content: In the media type asked for; of JSON the list of rows.
        fingerprint: Hash of the rows.
        next_cursor: Of the next page.
        stale: What is old.
        is_empty: Whether there is no row.
    """

    content: bytes
    fingerprint: str
    next_cursor: str | None
    stale: str | None
    is_empty: bool = False


@router.get(
    "/bars/{symbol}",
    summary="Bars of a symbol",
    response_model=Answer[list[Bar]],
    responses=TABLE_RESPONSES,
)
def bars(
    request: Request,
    symbol: SymbolPath,
    *,
    interval: Annotated[Interval, Query(description="Length of a bar.")] = Interval.DAY,
    start: Start = None,
    end: End = None,
    source: Annotated[
        str | None,
        Query(
            pattern=r"^[a-z][a-z0-9_-]{0,31}$",
            description="Of this source alone, without live bars. Default: the first of the "
            "settings that has the symbol.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_BARS, description="Bars per page.")] = 5_000,
    cursor: Cursor = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """The bars of a symbol in order of time, as their sources delivered them, not adjusted.

    Bars of the last years come from the database, older ones and those that were restated since
    from the lake, and those of today from the live windows: one answer, without a seam.
    """
    media_type = accepted(accept)
    first, last = window(start, end)
    if (behind := place_of(cursor, datetime)) is not None:
        first = max(first, behind)
    services = services_of(request)
    with _parts(services) as (lake, database, stale):
        chosen = ""
        if lake is not None and dataset_of(interval) == BRONZE:
            chosen = chosen_source(lake, symbol, interval, source, services.sources)
        series = Series(
            symbol=symbol,
            interval=interval,
            source=chosen,
            dataset=dataset_of(interval),
            start=first,
            end=last,
            limit=limit,
            with_live=source is None,
        )
        planned = plan(lake, database, _TIMES, series)
        found = _found(services, database, planned, media_type, stale)
        if found.is_empty and lake is not None and database is not None:
            check_known(lake, database, symbol)
    return table_response(request, found, media_type)


@contextlib.contextmanager
def _parts(
    services: Services,
) -> Iterator[tuple[Directory | None, Database | None, str | None]]:
    """The lake and the database, as far as they can be had, and what is old without the other.

    Raises:
        DatabaseError: Neither can be had.
    """
    lake: Directory | None = None
    stale = None
    try:
        lake = open_directory(services.lake_dir, "lake_dir")
        lake.list_folders()
    except FileError as error:
        _LOG.warning("%s", error)
        lake, stale = None, NO_LAKE
    with contextlib.ExitStack() as stack:
        database: Database | None = None
        try:
            database = stack.enter_context(services.database.connection())
        except DatabaseError:
            if lake is None:
                raise
            stale = NO_DATABASE
        yield lake, database, stale


def _found(
    services: Services,
    database: Database | None,
    planned: Plan,
    media_type: str,
    stale: str | None,
) -> Found:
    """The answer, kept as long as nothing that it is made of has changed."""
    key = fingerprint_of(f"{planned.series}\n{planned.version}\n{media_type}\n{stale}".encode())
    if (kept := services.cache.get(key)) is not None:
        return msgspec.msgpack.decode(kept, type=Found)
    table = bars_of(services.lake_dir, database, planned)
    limit = planned.series.limit
    more = table.num_rows > limit
    table = table.slice(0, limit)
    next_cursor = None
    if more:
        last: datetime = table["timestamp"][-1].as_py()
        next_cursor = cursor_of(last + timedelta(microseconds=1))
    fingerprint = fingerprint_of(as_bytes(table, ARROW))
    found = Found(
        as_bytes(_stamped(table, fingerprint), media_type), fingerprint, next_cursor, stale,
        is_empty=table.num_rows == 0,
    )  # fmt: skip
    services.cache.put(key, msgspec.msgpack.encode(found))
    return found


def _stamped(table: pa.Table, fingerprint: str) -> pa.Table:
    return table.replace_schema_metadata({"fingerprint": fingerprint})


def table_response(request: Request, found: Found, media_type: str) -> Response:
    """Rows as they are sent: in the envelope, or by themselves with headers beside."""
    if media_type == JSON:
        return answer(
            request, msgspec.Raw(found.content), next_cursor=found.next_cursor,
            stale=found.stale, fingerprint=found.fingerprint,
        )  # fmt: skip
    said = (found.fingerprint, media_type, found.next_cursor, found.stale)
    if (unchanged := not_modified(request, *said)) is not None:
        return unchanged
    headers = validators(*said) | {
        "X-As-Of": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        "X-Fingerprint": found.fingerprint,
    }
    headers |= {"X-Next": found.next_cursor} if found.next_cursor else {}
    headers |= {"X-Stale": found.stale} if found.stale else {}
    return Response(found.content, 200, headers, media_type)
