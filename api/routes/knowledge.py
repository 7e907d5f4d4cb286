"""News and companies."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, Field

from api.envelope import Answer, Answered, ApiError
from api.parameters import DEFAULT_ROWS, Cursor, End, Limit, Start, Symbol, SymbolPath, window
from api.routes.listing import first_of, listed
from database.api.listed import COMPANY_FACTS, NEWS

router = APIRouter(prefix="/v1", tags=["news and companies"])

FactKind = Literal["profile", "officers", "statistics", "holders", "income", "balance", "cashflow"]


class Article(Answered):
    """News of companies.

    Attributes:
        id: Of its canonical address.
        url: Where it is.
        title: Its headline.
        description: What it says in short.
        publisher: Who published it.
        source: Who delivered it.
        published_at: When it says that it was published.
        usable_from: When it could first be acted on.
        sentiment: From -1 to 1.
        label: `positive` from 0.05, `negative` from -0.05, else `neutral`.
        symbols: Whom it is about.
    """

    id: str
    url: str
    title: str
    description: str
    publisher: str
    source: str
    published_at: AwareDatetime
    usable_from: AwareDatetime
    sentiment: Annotated[float, Field(ge=-1, le=1)]
    label: Literal["positive", "neutral", "negative"]
    symbols: list[str]


class CompanyFact(Answered):
    """What is known of a company, in its latest version.

    Attributes:
        symbol: The symbol.
        kind: What it is about.
        period: The period that it is of; of what has none, the day it was first known.
        known_at: Since when this version is known.
        content: As the source says it.
        source: Who says it.
    """

    symbol: str
    kind: FactKind
    period: date
    known_at: AwareDatetime
    content: Any
    source: str


@router.get("/news", summary="News with sentiment", response_model=Answer[list[Article]])
def news(
    request: Request,
    *,
    symbol: Symbol = None,
    label: Annotated[
        Literal["positive", "neutral", "negative"] | None, Query(description="Only these.")
    ] = None,
    start: Start = None,
    end: End = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """News, the newest first, by the moment from which they could be acted on."""
    first, last = window(start, end)
    filters = {"symbol": symbol, "label": label, "start": first, "end": last}
    return listed(request, NEWS, filters, cursor=cursor, limit=limit)


@router.get("/company/{symbol}", summary="A company", response_model=Answer[list[CompanyFact]])
def company(
    request: Request,
    symbol: SymbolPath,
    *,
    kind: Annotated[FactKind | None, Query(description="Only these.")] = None,
    limit: Limit = DEFAULT_ROWS,
    cursor: Cursor = None,
) -> Response:
    """Profile, officers, statistics, holders and statements, each in its latest version."""
    if first_of(request, COMPANY_FACTS, {"symbol": symbol}) is None:
        raise ApiError(404, "unknown_company", f"Nothing is known of the company {symbol}.")
    filters = {"symbol": symbol, "kind": kind}
    return listed(request, COMPANY_FACTS, filters, cursor=cursor, limit=limit)
