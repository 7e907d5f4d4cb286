"""Symbols, indicators, signals and gaps."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

import msgspec
import pyarrow as pa
from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import AwareDatetime, Field

from api.bars.formats import ARROW, accepted, as_bytes, rows_as_json, rows_of
from api.bars.series import folders_with, sources_of, unknown_symbol
from api.bars.stored_files import between, files_of
from api.envelope import Answer, Answered, ApiError, answer, fingerprint_of
from api.parameters import (
    DEFAULT_ROWS,
    Cursor,
    End,
    Limit,
    Name,
    Start,
    Symbol,
    SymbolPath,
    cursor_of,
    place_of,
    services_of,
    window,
)
from api.routes.bars import MOST_BARS, TABLE_RESPONSES, Found, table_response
from api.routes.listing import listed, page_of
from database.api.listed import GAPS, INSTRUMENTS, SIGNALS
from database.errors import DatabaseError
from lake.folders import folders_in
from lake.gold.request import GOLD
from lake.gold.table import BARS
from lake.reading import read
from storage.directory import open_directory
from trading.bars.intervals import Interval

router = APIRouter(prefix="/v1", tags=["market data"])

_OWN = {"symbol", "timestamp", "available_at", *BARS, "signal"}

Text = Annotated[
    str | None, Query(max_length=64, pattern=r"^[^\x00]*$", description="Part of a name or symbol.")
]


class Instrument(Answered):
    """An instrument; fields as in the table `instrument`."""

    id: str
    symbol: Annotated[str, Field(examples=["AAPL"])]
    name: str
    kind: str
    exchange: str
    sector: str
    listed: date | None
    delisted: date | None


class SymbolSeries(Answered):
    """The bars that there are of a symbol.

    Attributes:
        symbol: The symbol.
        sources: By interval, the sources of bars; `live` of those that live windows closed.
        strategies: By interval, the strategies of which there are indicators and signals.
        instruments: What it means and meant, newest last.
    """

    symbol: str
    sources: dict[str, list[str]]
    strategies: dict[str, list[str]]
    instruments: list[Instrument]


class Indicators(Answered):
    """What a strategy makes of one bar, adjusted for the actions in force.

    Attributes:
        timestamp: The bar's start.
        available_at: When it could first be acted on.
        close: Last price in dollars.
        volume: Shares.
        signal: `buy`, `hold` or `sell`.
        values: Indicators and the strategy's own columns by name; null where not yet defined.
    """

    timestamp: AwareDatetime
    available_at: AwareDatetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    signal: str
    values: dict[str, float | str | bool | None]


class Signal(Answered):
    """A signal on a live bar; fields as in `trading.events.SignalMade`."""

    strategy: str
    fingerprint: str
    symbol: str
    interval: str
    timestamp: AwareDatetime
    signal: Literal["buy", "hold", "sell"]
    target: float | None
    close: float
    values: dict[str, float | None]
    revision: int
    available_at: AwareDatetime


class Gap(Answered):
    """A session of which bars are missing.

    Attributes:
        symbol: The symbol.
        interval: Of the bars.
        session: The New York date.
        expected: How many the calendar expects.
        present: How many there are.
        state: `open` until the bars have come.
        reason: Why they are missing.
    """

    symbol: str
    interval: str
    session: date
    expected: int
    present: int
    state: Literal["open", "closed"]
    reason: str


@router.get("/symbols", summary="Instruments", response_model=Answer[list[Instrument]])
def symbols(
    request: Request, text: Text = None, *, limit: Limit = DEFAULT_ROWS, cursor: Cursor = None
) -> Response:
    """The instruments that the database knows, by symbol; a reused symbol is two."""
    return listed(request, INSTRUMENTS, {"text": text or None}, cursor=cursor, limit=limit)


@router.get("/symbols/{symbol}", summary="One symbol", response_model=Answer[SymbolSeries])
def symbol_series(request: Request, symbol: SymbolPath) -> Response:
    """What there is of a symbol: sources, strategies, and the instruments that it means."""
    services = services_of(request)
    lake = open_directory(services.lake_dir, "lake_dir")
    stale = None
    try:
        found = page_of(request, INSTRUMENTS, {"symbol": symbol}, cursor=None, limit=20).rows
        with services.database.connection() as database:
            sources = sources_of(lake, database, symbol)
    except DatabaseError:
        found, sources = [], sources_of(lake, None, symbol)
        stale = "The database cannot be reached: instruments and live bars are missing."
    strategies = folders_with(lake, GOLD, symbol)
    if not (sources or strategies or found or stale):
        raise unknown_symbol(symbol)
    data = SymbolSeries(
        symbol=symbol,
        sources=sources,
        strategies=strategies,
        instruments=[Instrument(**row) for row in found],
    )
    return answer(request, data, stale=stale)


@router.get(
    "/indicators/{symbol}",
    summary="Indicators and signals of a strategy",
    response_model=Answer[list[Indicators]],
    responses=TABLE_RESPONSES,
)
def indicators(
    request: Request,
    symbol: SymbolPath,
    *,
    strategy: Annotated[
        str, Query(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="The strategy.")
    ] = "vegas_channel",
    interval: Annotated[Interval, Query(description="Length of a bar.")] = Interval.DAY,
    start: Start = None,
    end: End = None,
    limit: Annotated[int, Query(ge=1, le=MOST_BARS, description="Bars per page.")] = 5_000,
    cursor: Cursor = None,
    accept: Annotated[str | None, Header(include_in_schema=False)] = None,
) -> Response:
    """What the lake's gold has of a symbol, in order of time; nothing later than a bar is in it."""
    media_type = accepted(accept)
    first, last = window(start, end)
    if (behind := place_of(cursor, datetime)) is not None:
        first = max(first, behind.astimezone(UTC))
    services = services_of(request)
    lake = open_directory(services.lake_dir, "lake_dir")
    strategies = folders_in(lake, GOLD)
    if strategy not in strategies:
        there = ", ".join(strategies) or "none"
        raise ApiError(
            404,
            "unknown_strategy",
            f"There is no gold of {strategy} (there is of: {there}); name another strategy, or "
            "make it with trading lake build gold.",
        )
    if symbol not in folders_in(lake, f"{GOLD}/{strategy}/{interval}"):
        raise ApiError(
            404,
            "unknown_symbol",
            f"There is no gold of {symbol} by {strategy} on {interval}; see "
            f"/v1/symbols/{symbol} for what there is.",
        )
    files = between(files_of(lake, f"{GOLD}/{strategy}/{interval}/{symbol}"), first, last)
    versions = "\n".join(file.version for file in files)
    asked = f"gold {strategy} {interval} {symbol} {first} {last} {limit} {media_type}"
    key = fingerprint_of(f"{asked}\n{versions}".encode())
    if (kept := services.cache.get(key)) is not None:
        return table_response(request, msgspec.msgpack.decode(kept, type=Found), media_type)
    table = read(GOLD, symbol, interval, first, last, strategy=strategy, lake_dir=services.lake_dir)
    found = _found(table, limit, media_type)
    services.cache.put(key, msgspec.msgpack.encode(found))
    return table_response(request, found, media_type)


def _found(table: pa.Table, limit: int, media_type: str) -> Found:
    next_cursor = None
    if table.num_rows > limit:
        next_cursor = cursor_of(table["timestamp"][limit].as_py())
        table = table.slice(0, limit)
    fingerprint = fingerprint_of(as_bytes(table, ARROW))
    table = table.replace_schema_metadata({"fingerprint": fingerprint})
    content = as_bytes(table, media_type) if media_type != "application/json" else _rows(table)
    return Found(content, fingerprint, next_cursor, None)


def _rows(table: pa.Table) -> bytes:
    own = table.select([name for name in table.column_names if name in _OWN - {"symbol"}])
    more = table.select([name for name in table.column_names if name not in _OWN])
    pairs = zip(rows_of(own), rows_of(more), strict=True)
    return rows_as_json([row | {"values": values} for row, values in pairs])


@router.get("/signals", summary="Signals on live bars", response_model=Answer[list[Signal]])
def signals(
    request: Request,
    *,
    symbol: Symbol = None,
    strategy: Name = None,
    interval: Annotated[Interval | None, Query(description="Only on bars of this length.")] = None,
    signal: Annotated[
        Literal["buy", "hold", "sell"] | None, Query(description="Only these.")
    ] = None,
    start: Start = None,
    end: End = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """What strategies said at the close of live bars, the newest first."""
    first, last = window(start, end)
    filters = {
        "symbol": symbol,
        "strategy": strategy,
        "interval": interval,
        "signal": signal,
        "start": first,
        "end": last,
    }
    return listed(request, SIGNALS, filters, cursor=cursor, limit=limit)


@router.get("/gaps", summary="Sessions with missing bars", response_model=Answer[list[Gap]])
def gaps(
    request: Request,
    *,
    symbol: Symbol = None,
    interval: Annotated[Interval | None, Query(description="Only on bars of this length.")] = None,
    state: Annotated[Literal["open", "closed"] | None, Query(description="Only these.")] = "open",
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """What the sources did not deliver, the newest session first."""
    filters = {"symbol": symbol, "interval": interval, "state": state}
    return listed(request, GAPS, filters, cursor=cursor, limit=limit)
