"""A halt at work: cancel all, wait for the ends, close if asked, verify, and only then say so.

The latch is in the database before anything happens here, and each step follows from what the
broker says, so that a process that starts in the middle goes on. Nothing here waits: it is asked
to go on again and again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from adapters.brokers.errors import BrokerError, OrderRejectedError
from adapters.brokers.protocol import Broker
from database.connection import Database
from database.orders.risk import finish_halt
from live.executor.books import Books
from live.executor.submission import Submission
from trading.execution.desk import TrackedOrder
from trading.execution.intent import Intent
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.model import Leg, Order, Side, TimeInForce, client_order_id
from trading.units import from_units

LOG = logging.getLogger(__name__)


class Halting:
    """Carries a halt out.

    Args:
        database: Where its end is written.
        account: The account's name.
        books: The books.
        broker: The broker.
        submission: Sends the closing orders.
        now: The time.
        on_halted: Told when the halt is done.
    """

    def __init__(
        self,
        database: Database,
        account: str,
        books: Books,
        broker: Broker,
        submission: Submission,
        now: Callable[[], datetime],
        on_halted: Callable[[str], None],
    ) -> None:
        self._database = database
        self._account = account
        self._books = books
        self._broker = broker
        self._submission = submission
        self._now = now
        self._on_halted = on_halted

    def go_on(self, bar: int) -> None:
        """Do what can be done now.

        Args:
            bar: The start of the last bar that was seen, nanoseconds since 1970 in UTC.
        """
        risk = self._books.risk
        if not risk.is_closing:
            return
        try:
            if self._cancel_all():
                return
            if risk.closes_positions and self._close_all(bar):
                return
            held = self._broker.positions()
        except BrokerError as error:
            LOG.warning("The halt of %s goes on when the broker answers: %s", self._account, error)
            return
        open_positions = {symbol: str(own.quantity) for symbol, own in held.items() if own.quantity}
        if risk.closes_positions and open_positions:
            return  # ours says flat, the broker not yet
        self._books.risk = finish_halt(
            self._database, self._account, detail={"positions": open_positions}
        )
        self._on_halted(risk.memory.reason)

    def _cancel_all(self) -> bool:
        """Whether any order but a closing one may still fill."""
        theirs = {order.order.client_order_id: order for order in self._broker.open_orders()}
        left = 0
        for name, told in theirs.items():
            known = self._books.order(name)
            if known is not None and known.intent.order.leg is Leg.CLOSE:
                continue
            left += 1
            cancel(self._books, self._broker, name, told.broker_order_id, self._now())
        ours = [o for o in self._books.desk.working.values() if o.intent.order.leg is not Leg.CLOSE]
        for tracked in ours:
            if tracked.name not in theirs:
                # Either it has just ended, or its outcome is not known yet.
                _look_up(self._books, self._broker, tracked)
        return any(
            o.intent.order.leg is not Leg.CLOSE for o in self._books.desk.working.values()
        ) or bool(left and any(n in self._books.desk.working for n in theirs))

    def _close_all(self, bar: int) -> bool:
        """Whether anything is still held."""
        for symbol, held in self._broker.positions().items():
            if held.quantity and not self._books.desk.orders_of(symbol):
                self._close(symbol, bar)
        return bool(self._books.desk.account.open)

    def _close(self, symbol: str, bar: int) -> None:
        quantity = self._books.desk.account.quantity(symbol)
        if not quantity:
            return
        side = Side.SELL if quantity > 0 else Side.BUY
        name = self._free_name(symbol, bar, side)
        mark = self._books.desk.price_of(symbol)
        order = Order(
            client_order_id=name,
            symbol=symbol,
            side=side,
            quantity=from_units(abs(quantity)),
            time_in_force=TimeInForce.GTC,
            reduce_only=True,
            leg=Leg.CLOSE,
            decision_price=from_units(mark) if mark else None,
        )
        intent = Intent(account=self._account, order=order, bar=bar, created_at=self._now())
        # A halt closes whatever the gate would say of it.
        tracked, _ = self._books.intend(intent, lambda _: None, lambda _: None)
        self._submission.send(tracked)

    def _free_name(self, symbol: str, bar: int, side: Side) -> str:
        """The order's name; another one for each closing order that ended before all was sold."""
        attempt = ""
        for number in range(1, 1_000):
            name = client_order_id(
                strategy="", fingerprint=attempt, symbol=symbol, bar=str(bar), side=side,
                leg=Leg.CLOSE,
            )  # fmt: skip
            if name not in self._books.desk.names:
                break
            attempt = str(number)
        return name


def cancel(books: Books, broker: Broker, name: str, broker_order_id: str, now: datetime) -> None:
    """Ask for an order's end, write that down first, and then what came of it.

    Raises:
        OutcomeUnknownError: The broker does not answer.
    """
    books.happened(name, [OrderEvent(kind=OrderEventKind.CANCEL_REQUESTED, at=now)])
    try:
        broker.cancel(name, broker_order_id)
    except OrderRejectedError as error:
        # It has ended, or will: what it says of itself decides.
        LOG.info("Order %s is not cancelled: %s", name, error)
    found = broker.lookup(name)
    if found is not None:
        books.happened(name, found.events(), found.broker_order_id)


def _look_up(books: Books, broker: Broker, tracked: TrackedOrder) -> None:
    found = broker.lookup(tracked.name)
    if found is not None:
        books.happened(tracked.name, found.events(), found.broker_order_id)
