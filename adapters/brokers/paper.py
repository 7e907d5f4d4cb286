"""The paper broker: bars fill orders exactly as they do in a backtest.

What it knows is in the ledger: it is made of the account's positions, cash and accepted orders,
and what it answers is written there by whoever asks. So it has nothing of its own to lose. A bar
fills orders that were decided on an earlier bar, once, however often it comes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from adapters.brokers.errors import DuplicateOrderError, OrderRejectedError
from adapters.brokers.protocol import (
    BrokerAccount,
    BrokerClock,
    BrokerOrder,
    BrokerStatus,
    OrderUpdate,
    refuse_attached_exits,
)
from trading.bars.intervals import Interval
from trading.execution.comparison import Held
from trading.execution.desk import TrackedOrder
from trading.execution.hours import TradingHours
from trading.instruments.clock import moment_of, nanoseconds_of
from trading.orders.book import Bar, Book, Fill
from trading.orders.fills import Costs
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.model import Order, OrderType, TimeInForce
from trading.orders.states import OrderState
from trading.orders.working import WorkingOrder
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.units import from_units, to_dollars, to_units

_STATUS = {
    OrderState.FILLED: BrokerStatus.FILLED,
    OrderState.CANCELED: BrokerStatus.CANCELED,
    OrderState.EXPIRED: BrokerStatus.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds at the paper broker.

    Attributes:
        costs: What fills cost, and how much of a bar's volume they may take.
        interval: The length of the bars that fill orders.
        hours: The exchange's.
        increments: Smallest step of a quantity by symbol; 1 where none is named.
    """

    costs: Costs
    interval: Interval
    hours: TradingHours
    increments: Mapping[str, Decimal]


class _Slip:
    """An order in a book, with the bar before which it does not fill."""

    __slots__ = ("after", "changed_at", "submitted_at", "working")

    def __init__(self, working: WorkingOrder, after: int, submitted_at: datetime) -> None:
        self.working = working
        self.after = after
        self.submitted_at = submitted_at
        self.changed_at = submitted_at


class PaperBroker:
    """A broker that trades on paper.

    Args:
        ledger: All events of the account.
        working: Its orders that have not ended; those that were never accepted are not here.
        terms: What holds.
        now: The time.
        seen: The start of the last bar of each symbol that was dealt with before, as far as it is
            known; those that filled an order are in the ledger.
    """

    name = "paper"

    def __init__(
        self,
        ledger: Iterable[LedgerEvent],
        working: Iterable[TrackedOrder],
        terms: Terms,
        now: datetime,
        seen: Mapping[str, int],
    ) -> None:
        self._terms = terms
        self._books: dict[str, Book] = {}
        self._slips: dict[str, _Slip] = {}
        self._matched: dict[str, int] = dict(seen)
        self._account = Account()
        self._now = now
        for event in ledger:
            self._account.apply(event)
            if event.kind is EventKind.FILL:
                last = self._matched.get(event.symbol, event.timestamp)
                self._matched[event.symbol] = max(last, event.timestamp)
        for order in working:
            if any(event.kind is OrderEventKind.ACCEPTED for event in order.events):
                self._restore(order)

    # What an executor asks.

    def submit(self, order: Order) -> BrokerOrder:
        """Take an order; it fills in a bar after the last one that was seen."""
        if order.client_order_id in self._slips:
            raise DuplicateOrderError(order.client_order_id)
        refuse_attached_exits(order)
        if to_units(order.quantity, "quantity") % self._book(order.symbol).increment:
            raise OrderRejectedError(f"{order.quantity} is no multiple of the increment")
        return self._accept(order, self._seen(order.symbol), self._now)

    def cancel(self, name: str, broker_order_id: str) -> None:  # noqa: ARG002 - the protocol's
        """End an order at once."""
        slip = self._slips.get(name)
        if slip is None or slip.working.state.is_end:
            raise OrderRejectedError(f"{name} does not work")
        self._book(slip.working.order.symbol).cancel(slip.working)
        slip.changed_at = self._now

    def lookup(self, name: str) -> BrokerOrder | None:
        """The order, None when there is none."""
        slip = self._slips.get(name)
        return None if slip is None else _told(slip)

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Those that may fill."""
        return [_told(slip) for slip in self._slips.values() if not slip.working.state.is_end]

    def positions(self) -> Mapping[str, Held]:
        """What is held."""
        return {
            symbol: Held(from_units(holding.quantity), holding.average_price)
            for symbol, holding in self._account.open.items()
        }

    def account(self) -> BrokerAccount:
        """Its cash."""
        return BrokerAccount(number="paper", cash=to_dollars(self._account.cash))

    def clock(self) -> BrokerClock:
        """The time that it was last told."""
        return BrokerClock(self._now, self._terms.hours.is_open(nanoseconds_of(self._now)))

    def updates(self) -> PaperUpdates:
        """Nothing: what bars do is told by `on_bar`, all else by the answers."""
        return PaperUpdates()

    def close(self) -> None:
        """Nothing is open."""

    # What happens to it.

    def at(self, now: datetime) -> None:
        """Tell it the time."""
        self._now = now

    def booked(self, event: LedgerEvent) -> None:
        """Take a deposit or an adjustment that was booked beside it."""
        self._account.apply(event)

    def expire(self, now: int) -> list[OrderUpdate]:
        """End the orders whose session is over, also of symbols of which no bar has come since.

        Args:
            now: The start of a bar of any symbol, nanoseconds since 1970 in UTC.
        """
        ended = []
        for book in self._books.values():
            before = tuple(book.orders)
            book.expire(now)
            ended += [working for working in before if working.state.is_end]
        return [self._update(w, [], moment_of(now), moment_of(w.good_until or now)) for w in ended]

    def on_bar(self, symbol: str, start: int, bar: Bar) -> list[OrderUpdate]:
        """What a closed bar did to the orders of its symbol; nothing when it came before.

        Args:
            symbol: Whose bar.
            start: Its start, nanoseconds since 1970 in UTC.
            bar: The bar.
        """
        if start <= self._seen(symbol):
            return []
        self._forget_ended(symbol)
        book = self._book(symbol)
        before = {working: working.state for working in book.orders}
        end = self._terms.hours.bar_end(start, self._terms.interval)
        book.expire(start)
        waiting = [w for w in book.orders if self._slip(w).after >= start]
        book.orders = [w for w in book.orders if self._slip(w).after < start]
        fills = book.match(bar, self._account.quantity(symbol)) if book.orders else []
        book.orders += waiting
        book.expire(end)
        self._matched[symbol] = start
        by_order: dict[WorkingOrder, list[OrderEvent]] = {working: [] for working in before}
        for fill in fills:
            by_order[fill.working].append(self._fill(symbol, start, fill))
        return [
            self._update(working, events, moment_of(start), moment_of(end))
            for working, events in by_order.items()
            if events or working.state is not before[working]
        ]

    def _fill(self, symbol: str, start: int, fill: Fill) -> OrderEvent:
        name = fill.working.order.client_order_id
        self._account.apply(
            LedgerEvent(start, symbol, EventKind.FILL, fill.quantity, fill.price, fill.fee, name)
        )
        return OrderEvent(
            kind=OrderEventKind.FILL,
            at=moment_of(start),
            execution_id=f"{name}:{start}",
            quantity=abs(from_units(fill.quantity)),
            price=from_units(fill.price),
            fee=to_dollars(fill.fee),
        )

    def _update(
        self, working: WorkingOrder, fills: Sequence[OrderEvent], start: datetime, end: datetime
    ) -> OrderUpdate:
        slip = self._slip(working)
        events = list(fills)
        slip.changed_at = start
        if working.state in {OrderState.CANCELED, OrderState.EXPIRED}:
            kind = (
                OrderEventKind.CANCELED
                if working.state is OrderState.CANCELED
                else OrderEventKind.EXPIRED
            )
            slip.changed_at = end
            events.append(OrderEvent(kind=kind, at=end))
        return OrderUpdate(order=_told(slip), events=tuple(events))

    # Its books.

    def _book(self, symbol: str) -> Book:
        if symbol not in self._books:
            step = self._terms.increments.get(symbol, Decimal(1))
            self._books[symbol] = Book(to_units(step, "increment"), self._terms.costs)
        return self._books[symbol]

    def _slip(self, working: WorkingOrder) -> _Slip:
        return self._slips[working.order.client_order_id]

    def _seen(self, symbol: str) -> int:
        return self._matched.get(symbol, -1)

    def _forget_ended(self, symbol: str) -> None:
        """Nobody asks for an order once its end was told."""
        self._slips = {
            name: slip
            for name, slip in self._slips.items()
            if slip.working.order.symbol != symbol or not slip.working.state.is_end
        }

    def _accept(self, order: Order, after: int, at: datetime) -> BrokerOrder:
        until = None
        if order.time_in_force is TimeInForce.DAY:
            # The bar that it was decided on has ended by now, so its session's close may be now.
            known = self._terms.hours.bar_end(after, self._terms.interval) if after >= 0 else 0
            until = self._terms.hours.good_until(known or nanoseconds_of(at))
        working = WorkingOrder(order, until)
        self._book(order.symbol).accept(working)
        slip = self._slips[order.client_order_id] = _Slip(working, after, at)
        return _told(slip)

    def _restore(self, order: TrackedOrder) -> None:
        """Put an accepted order back where it was."""
        intent = order.intent
        accepted = next(e.at for e in order.events if e.kind is OrderEventKind.ACCEPTED)
        self._accept(intent.order, intent.bar, accepted)
        working = self._slips[order.name].working
        if filled := to_units(order.status.filled, "filled"):
            working.fill(filled)
            if working.type is OrderType.STOP:
                working.type = OrderType.MARKET  # it was touched


class PaperUpdates:
    """The paper broker's stream: it has nothing to tell that its answers do not."""

    def receive(self, wait_seconds: float) -> Sequence[OrderUpdate]:  # noqa: ARG002 - the protocol's
        """Nothing."""
        return []

    def close(self) -> None:
        """Nothing is open."""


def _told(slip: _Slip) -> BrokerOrder:
    working = slip.working
    return BrokerOrder(
        order=working.order,
        broker_order_id=working.order.client_order_id,
        status=_STATUS.get(working.state, BrokerStatus.WORKING),
        submitted_at=slip.submitted_at,
        updated_at=slip.changed_at,
    )
