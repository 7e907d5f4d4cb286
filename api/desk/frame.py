"""The frame: every text that changes by itself, for all accounts and symbols, made once for all.

A page shows the fields and lists that it has places for, by name. The names of what belongs to an
account begin with the account's.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from api.desk import shown
from api.desk.reading.prices import LastPrice
from api.desk.shown import Cell, Tone
from api.desk.state import AccountState, DeskState
from trading.portfolio.account import Holding
from trading.risk.limits import RiskLimits
from trading.units import from_units, to_dollars

WORTH_STALE = timedelta(minutes=15)
"""Within a session an account is worth something new at least so often."""

PRICE_STALE = timedelta(minutes=3)
"""Within a session a bar arrives at most so long after its end."""

LONGEST_LIVE_BAR = timedelta(minutes=5)

RECONCILED_STALE = timedelta(hours=7)
"""Books are compared every six hours."""

_SEVERE: dict[str, Tone] = {"ACTIVE": "good", "REDUCING": "warn", "HALTED": "bad"}
_STATE_WORDS = {"ACTIVE": "Active", "REDUCING": "Reducing only", "HALTED": "Halted"}

POSITION_COLUMNS = ("Shares", "Average", "Last", "Value", "Of equity", "P&L", "%")
"""After the symbol."""

Fields = dict[str, Cell]


class Row(msgspec.Struct, array_like=True, frozen=True):
    """A row of a list that changes by itself.

    Attributes:
        key: Unique in its list.
        href: Where it leads.
        cells: Its texts.
    """

    key: str
    href: str
    cells: tuple[Cell, ...]


class Frame(msgspec.Struct, tag_field="kind", tag="frame", frozen=True):
    """What is pushed to every viewer.

    Attributes:
        seq: Grows by one with each frame of a process.
        at: When it was made, milliseconds since 1970 in UTC.
        problem: Why the figures are old; empty when they are not.
        note: What some of them are missing; empty when that is nothing.
        data_at: The moment the figures are of.
        last_alert: The id of the last alert: a viewer that knows less fetches the rest.
        fields: Texts by name.
        lists: Rows by name.
    """

    seq: int
    at: int
    problem: str
    note: str
    data_at: int
    last_alert: int
    fields: Fields
    lists: dict[str, tuple[Row, ...]]


def frame_of(state: DeskState, limits: RiskLimits) -> tuple[Fields, dict[str, tuple[Row, ...]]]:
    """The texts of a state.

    Args:
        state: How things stand.
        limits: What figures are measured against.
    """
    fields, lists = dict(_shared(state)), {"watch": tuple(_watch(state))}
    for one in state.accounts:
        name = one.account.id
        fields |= {f"{name}/{key}": cell for key, cell in _strip(one, state)}
        fields |= {f"{name}/{key}": cell for key, cell in _figures(one, state, limits)}
        lists[f"{name}/positions"] = tuple(_positions(one, state))
    return fields, lists


def _shared(state: DeskState) -> Iterator[tuple[str, Cell]]:
    market = state.market
    left = shown.countdown((market.bell - state.at).total_seconds())
    word = f"open, closes in {left}" if market.is_open else f"closed, opens in {left}"
    yield "market", Cell(f"Market {word}", "good" if market.is_open else "quiet")
    newest = max((price.known_at for price in state.prices.values()), default=None)
    if newest is None:
        yield "data", Cell("no prices yet", "warn")
    else:
        late = _is_late(newest, state)
        text = shown.age((state.at - newest).total_seconds())
        yield "data", Cell(f"{text} old", "bad" if late else "", None, _ms(newest), late)
    count = len(state.firing)
    worst = any(alert.severity == "critical" for alert in state.firing)
    tone: Tone = "bad" if worst else "warn" if count else "good"
    yield "alerts", Cell(str(count), tone, None, _ms(state.at))
    what = f"{state.firing[0].rule} · {state.firing[0].subject}" if count else "none firing"
    yield "alerts_note", Cell(what, "" if count else "quiet")
    for symbol, last in state.prices.items():
        yield f"price/{symbol}", _price(last, state)
        yield f"change/{symbol}", _change(symbol, last, state)


def _price(last: LastPrice, state: DeskState) -> Cell:
    late = _is_late(last.ends, state)
    return Cell(shown.price(last.price), "", None, _ms(last.ends), late)


def _is_late(moment: datetime, state: DeskState) -> bool:
    """Whether there should be a price newer than one of a moment, or none can come."""
    late = state.market.is_open and state.at - moment > PRICE_STALE + LONGEST_LIVE_BAR
    return late or state.bus_lost is not None


def _change(symbol: str, last: LastPrice, state: DeskState) -> Cell:
    before = state.previous.get(symbol)
    change = last.price / before - 1 if before else None
    return Cell(
        shown.signed_percent(change), shown.tone_of(None if change is None else change * 100)
    )


def _strip(one: AccountState, state: DeskState) -> Iterator[tuple[str, Cell]]:
    account = one.account
    at = None if account.since is None else _ms(account.since)
    if not account.state:
        yield "trading", Cell("Not started", "quiet", None, at)
    else:
        # It is halted only when no order works any more, and no position where those are closed.
        words = "Halting" if account.is_closing else _STATE_WORDS[account.state]
        why = f": {account.reason}" if account.reason else ""
        yield "trading", Cell(words + why, _SEVERE[account.state], None, at)
    last = one.reconciliation
    if last is None:
        yield "reconciled", Cell("never", "warn")
    elif last.ended_at is None:
        yield "reconciled", Cell("running", "warn", None, _ms(last.started_at))
    else:
        old = state.at - last.ended_at > RECONCILED_STALE
        when = _when(last.ended_at, state.at)
        said = "agreed" if last.agreed else f"{last.differences} differences"
        tone: Tone = "bad" if not last.agreed else "warn" if old else ""
        yield "reconciled", Cell(f"{when}, {said}", tone, None, _ms(last.ended_at), old)


def _figures(one: AccountState, state: DeskState, limits: RiskLimits) -> Iterator[tuple[str, Cell]]:
    worth, start = one.worth, one.day_start
    orders = len(one.open_orders)
    yield "orders", Cell(str(orders), "", None, _ms(state.at))
    yield "orders_note", Cell(_sides(one) if orders else "none working", "quiet")
    if worth is None:
        for name in ("equity", "day", "day_note", "drawdown", "gross"):
            yield name, Cell(shown.MISSING, "quiet")
        return
    at = _ms(worth.at)
    late = state.market.is_open and state.at - worth.at > WORTH_STALE
    yield "equity", Cell(shown.money(worth.equity), "", None, at, late)
    yield "equity_note", Cell(f"{shown.money(worth.cash, 0)} cash", "quiet")
    day = None if start is None else worth.earned - start.earned
    yield "day", Cell(shown.signed_money(day), shown.tone_of(day), None, at, late)
    share = day / start.equity if day is not None and start and start.equity > 0 else None
    yield "day_note", Cell(shown.signed_percent(share), shown.tone_of(day))
    yield from _limited("drawdown", Decimal(-abs(worth.drawdown)), limits.max_drawdown, at, late)
    gross = worth.gross / worth.equity if worth.equity > 0 else None
    yield from _limited("gross", gross, limits.max_gross, at, late)


def _limited(
    name: str,
    value: Decimal | None,
    limit: Decimal | None,
    at: int,
    late: bool,  # noqa: FBT001 - two calls
) -> Iterator[tuple[str, Cell]]:
    """A share of equity against its limit."""
    used = None if value is None or limit is None else min(1.0, abs(float(value / limit)))
    near, over = 0.75, 1.0
    tone: Tone = "" if used is None or used < near else "bad" if used >= over else "warn"
    yield name, Cell(shown.percent(value), tone, used, at, late)
    if limit is None:
        yield f"{name}_note", Cell("no limit set", "warn")
        return
    left = "" if used is None else f", {used:.0%} used"
    yield f"{name}_note", Cell(f"limit {shown.percent(limit, 0)}{left}", "quiet")


def _sides(one: AccountState) -> str:
    buys = sum(order.side > 0 for order in one.open_orders)
    return f"{buys} buy, {len(one.open_orders) - buys} sell"


def _positions(one: AccountState, state: DeskState) -> Iterator[Row]:
    """Open positions, the largest first."""
    held = sorted(one.books.account.open.values(), key=lambda h: (-abs(h.value), h.symbol))
    most = max((abs(holding.unrealized) for holding in held), default=0) or 1
    equity = one.worth.equity if one.worth and one.worth.equity > 0 else None
    for holding in held:
        yield _position(holding, state, holding.unrealized / most, equity)


def _position(holding: Holding, state: DeskState, share: float, equity: Decimal | None) -> Row:
    pnl, value = to_dollars(holding.unrealized), to_dollars(holding.value)
    cost = abs(to_dollars(holding.cost))
    last = state.prices.get(holding.symbol)
    mark = (
        _price(last, state)
        if last is not None
        else Cell(shown.price(from_units(holding.mark)), "warn", None, None, stale=True)
    )
    tone = shown.tone_of(pnl)
    cells = (
        Cell(holding.symbol),
        Cell(shown.quantity(from_units(holding.quantity)), "" if holding.quantity > 0 else "warn"),
        Cell(shown.price(holding.average_price)),
        mark,
        Cell(shown.money(value, 0)),
        Cell(shown.percent(None if equity is None else value / equity, 1)),
        Cell(shown.signed_money(pnl, 0), shown.tone_of(pnl, 0), share),
        Cell(shown.signed_percent(pnl / cost if cost else None), tone),
    )
    return Row(holding.symbol, f"/symbols/{holding.symbol}", cells)


def _watch(state: DeskState) -> Iterator[Row]:
    """Every symbol with a price, in order of name."""
    for symbol in sorted(state.prices):
        last = state.prices[symbol]
        cells = (Cell(symbol), _price(last, state), _change(symbol, last, state))
        yield Row(symbol, f"/symbols/{symbol}", cells)


def _when(moment: datetime, now: datetime) -> str:
    """The time of day, with the day when it is another."""
    text = shown.day_and_time(moment)
    return text[11:] if text[:10] == shown.day_and_time(now)[:10] else text


def _ms(moment: datetime) -> int:
    return shown.milliseconds(moment)
