"""A symbol: its bars with signals and fills, its news, its company."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.desk.charting import chart_times, json_response
from api.desk.company import company_name, company_parts
from api.desk.desk import Desk, DeskOf
from api.desk.frame import POSITION_COLUMNS
from api.desk.reading.accounts import Account
from api.desk.reading.news import articles, company_facts
from api.desk.reading.orders import FillRow, fills, orders
from api.desk.reading.prices import bars, known_symbols
from api.desk.reading.signals import SignalRow, latest_signals, signals_of
from api.desk.rendering import HEADERS, PageRoute, chosen_account, page
from api.desk.shown import Cell
from api.envelope import ApiError
from database.connection import Database
from database.live.bars import live_intervals
from database.news import sentiments
from trading.arrays import Timestamps
from trading.bars.intervals import Interval
from trading.instruments.clock import to_datetime64
from trading.instruments.symbols import checked_contract
from trading.news.score import MAX_HALF_LIVES, news_score

pages = APIRouter(route_class=PageRoute)
data = APIRouter()

LOOK_BACK = timedelta(days=30)
SAID_BACK = timedelta(days=7)
DAYS_BACK = timedelta(days=730)

_ON_CANDLES = ("ema", "sma", "vwap", "bollinger")
"""How the names of indicators begin that are prices, and so belong on the candles."""


@pages.get("/symbols")
def first_symbol(desk: DeskOf) -> Response:
    """The first symbol that there is.

    Raises:
        ApiError: There is none.
    """
    known = sorted(desk.pusher.state.prices)
    if not known:
        with desk.services.database.connection() as database:
            known = known_symbols(database, desk.settings.now() - DAYS_BACK)
    if not known:
        raise ApiError(
            404, "not_found", "There are no symbols yet; start the stream with trading live."
        )
    return RedirectResponse(f"/symbols/{known[0]}", 303, HEADERS)


@pages.get("/symbols/{symbol}")
def symbol_page(request: Request, desk: DeskOf, symbol: str) -> Response:
    """A symbol.

    Raises:
        ParameterError: It is none.
    """
    checked_contract(symbol)
    account = chosen_account(request, desk)
    since = desk.settings.now() - LOOK_BACK
    with desk.services.database.connection() as database:
        intervals = live_intervals(database, symbol, since)
        if bars(database, symbol, Interval.DAY, since, limit=1):
            intervals = [i for i in intervals if i is not Interval.DAY] + [Interval.DAY]
        facts = company_facts(database, symbol)
        news = articles(database, symbol, limit=12)
        score = _score(database, symbol, desk.settings.now(), desk.settings.news_half_life)
        said = latest_signals(database, desk.settings.now() - SAID_BACK, symbol)
        ordered = [] if account is None else orders(database, account.id, symbol=symbol, limit=30)
    return page(
        request,
        desk,
        "symbol.html",
        "Symbols",
        title=symbol,
        symbol=symbol,
        intervals=[interval.value for interval in intervals],
        company_name=company_name(facts),
        company=company_parts(facts),
        known_at=max((fact.known_at for fact in facts.values()), default=None),
        articles=news,
        score=score,
        said=said,
        position=_position(desk, account, symbol),
        orders=ordered,
    )


def _score(database: Database, symbol: str, now: datetime, half_life: timedelta) -> float | None:
    """The symbol's news score now; None when no article counts."""
    moments, values = sentiments(database, symbol, now - MAX_HALF_LIVES * half_life, now)
    (score,) = news_score(
        np.array([to_datetime64(now)]), moments, values, np.timedelta64(half_life)
    )
    return None if np.isnan(score) else float(score)


def _position(desk: Desk, account: Account | None, symbol: str) -> list[tuple[str, Cell]]:
    """What the account holds of it, by the names of the columns of positions."""
    if account is None:
        return []
    held = desk.pusher.frame().lists.get(f"{account.id}/positions", ())
    row = next((row for row in held if row.key == symbol), None)
    return [] if row is None else list(zip(POSITION_COLUMNS, row.cells[1:], strict=True))


@data.get("/desk/bars")
def symbol_bars(desk: DeskOf, symbol: str, interval: Interval, account: str = "") -> Response:
    """The bars of a symbol with what strategies said and what was traded.

    Raises:
        ParameterError: The symbol is none.
    """
    checked_contract(symbol)
    is_day = interval is Interval.DAY
    since = desk.settings.now() - (DAYS_BACK if is_day else LOOK_BACK)
    with desk.services.database.connection() as database:
        rows = bars(database, symbol, interval, since)
        said = signals_of(database, symbol, since, interval.value)
        done = fills(database, account, symbol, limit=1_000) if account else []
    stamps: Timestamps = np.array([_naive(row.ts) for row in rows], "datetime64[ns]")
    times, kept = chart_times(stamps)
    columns = {
        name: [getattr(row, name) for row, keep in zip(rows, kept, strict=True) if keep]
        for name in ("open", "high", "low", "close", "volume")
    }
    moments = [row.ts for row, keep in zip(rows, kept, strict=True) if keep]
    return json_response(
        {
            "times": times,
            **columns,
            "indicators": _indicators(said, moments),
            "signals": _signals(said, dict(zip(moments, times, strict=True))),
            "fills": _fills(done, stamps[kept], times),
        }
    )


def _indicators(
    said: Sequence[SignalRow], moments: Sequence[datetime]
) -> dict[str, list[float | None]]:
    """What strategies saw at each bar, of the indicators that are prices."""
    by_moment: dict[str, dict[datetime, float | None]] = {}
    for signal in said:
        for name, value in signal.values.items():
            if name.startswith(_ON_CANDLES):
                by_moment.setdefault(name, {})[signal.ts] = value
    return {
        name: [values.get(moment) for moment in moments]
        for name, values in sorted(by_moment.items(), key=lambda item: (len(item[0]), item[0]))
    }


def _signals(said: Sequence[SignalRow], times: dict[datetime, int]) -> list[dict[str, object]]:
    return [
        {"time": times[signal.ts], "signal": signal.signal, "strategy": signal.strategy}
        for signal in said
        if signal.signal != "hold" and signal.ts in times
    ]


def _fills(
    done: Sequence[FillRow], stamps: Timestamps, times: Sequence[int]
) -> list[dict[str, object]]:
    """Each on the bar that was under way."""
    if not len(stamps):
        return []
    rows = np.searchsorted(stamps, [np.datetime64(_naive(one.at), "ns") for one in done], "right")
    return [
        {"time": times[row - 1], "quantity": float(one.quantity), "price": float(one.price)}
        for one, row in zip(done, rows.tolist(), strict=True)
        if row
    ]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
