"""The portfolio: positions, where the profit came from, trades, orders, risk checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from fastapi import APIRouter, Request, Response

from api.desk import shown
from api.desk.desk import Desk, DeskOf
from api.desk.reading.ledger import Books, decisions
from api.desk.reading.orders import orders
from api.desk.reading.services import audit
from api.desk.rendering import PageRoute, page
from api.desk.shown import Tone
from api.desk.state import AccountState
from database.connection import Database
from trading.instruments.clock import moment_of
from trading.portfolio.attribution import attribution
from trading.units import to_dollars

pages = APIRouter(route_class=PageRoute)

PARTS = ("price", "dividends", "fees", "slippage", "total")
_TRIPS, _DENIED, _AUDIT = 200, 12, 8
_NEAR = 0.75


@dataclass(frozen=True, slots=True)
class Part:
    """What a strategy earned in a symbol, in dollars by kind."""

    strategy: str
    symbol: str
    parts: dict[str, Decimal]


@dataclass(frozen=True, slots=True)
class Trip:
    """A position from its first share to none."""

    symbol: str
    opened: datetime
    closed: datetime
    pnl: Decimal


@dataclass(frozen=True, slots=True)
class Check:
    """A figure against its limit, as texts."""

    name: str
    value: str
    limit: str
    result: str
    tone: Tone


@pages.get("/portfolio")
def portfolio(request: Request, desk: DeskOf) -> Response:
    """What the account holds and what it has done."""
    one = desk.pusher.state.account(request.query_params.get("account"))
    if one is None:
        return page(request, desk, "portfolio.html", "Portfolio")
    name = one.account.id
    with desk.services.database.connection() as database:
        shares = attributed(database, name, one.books)
        done = orders(database, name, limit=100)
        denied = orders(database, name, only_denied=True, limit=_DENIED)
        deeds = [entry for entry in audit(database) if entry.subject == name][:_AUDIT]
    trips = list(_trips(one.books))
    return page(
        request,
        desk,
        "portfolio.html",
        "Portfolio",
        attribution=shares,
        totals={part: sum((row.parts[part] for row in shares), Decimal(0)) for part in PARTS},
        checks=list(risk_checks(desk, one)),
        denied=denied,
        audit=deeds,
        trips=trips[:_TRIPS],
        trip_count=len(trips),
        wins=sum(trip.pnl > 0 for trip in trips[:_TRIPS]),
        orders=done,
    )


def attributed(database: Database, account: str, books: Books) -> list[Part]:
    """What each strategy earned in each symbol, the most first.

    Raises:
        DatabaseError: The database does not answer.
    """
    found = attribution(books.ledger, decisions(database, account), books.account)
    rows = [Part(strategy, symbol, share.dollars()) for (strategy, symbol), share in found.items()]
    return sorted(rows, key=lambda row: -row.parts["total"])


def risk_checks(desk: Desk, one: AccountState) -> Iterator[Check]:
    """The limits of an account, each with what it stands at."""
    limits, worth = desk.settings.limits, one.worth
    if worth is None or worth.equity <= 0:
        yield Check("Equity", shown.MISSING, "above 0", "not known", "warn")
        return
    yield _check("Drawdown", Decimal(abs(worth.drawdown)), limits.max_drawdown)
    start = one.day_start
    if start is not None and start.equity > 0:
        lost = start.earned - worth.earned
        yield _check("Loss of the day", max(lost, Decimal(0)) / start.equity, limits.max_daily_loss)
    yield _check("Gross exposure", worth.gross / worth.equity, limits.max_gross)
    values = [abs(to_dollars(held.value)) for held in one.books.account.open.values()]
    largest = max(values, default=Decimal(0))
    yield _check("Largest position", largest / worth.equity, limits.max_position)
    orders_now = [o for o in one.open_orders if o.price is not None]
    notional = max((o.price * o.quantity for o in orders_now if o.price), default=Decimal(0))
    yield _money_check("Largest working order", notional, limits.max_order)


def _check(name: str, value: Decimal, limit: Decimal | None) -> Check:
    text = shown.percent(value)
    if limit is None:
        return Check(name, text, "none set", "not checked", "warn")
    return Check(name, text, shown.percent(limit, 0), *_result(value, limit))


def _money_check(name: str, value: Decimal, limit: Decimal | None) -> Check:
    text = shown.money(value, 0)
    if limit is None:
        return Check(name, text, "none set", "not checked", "warn")
    return Check(name, text, shown.money(limit, 0), *_result(value, limit))


def _result(value: Decimal, limit: Decimal) -> tuple[str, Tone]:
    used = float(value / limit)
    if used >= 1:
        return f"over, {used:.0%}", "bad"
    return (f"near, {used:.0%}", "warn") if used >= _NEAR else (f"within, {used:.0%}", "good")


def _trips(books: Books) -> Iterator[Trip]:
    """Positions that ended, the newest first."""
    for trip in reversed(books.account.trips):
        yield Trip(
            trip.symbol, moment_of(trip.opened), moment_of(trip.closed), to_dollars(trip.pnl)
        )
