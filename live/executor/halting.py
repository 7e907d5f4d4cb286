"""A halt at work: cancel all, wait for the ends, close if asked, verify, and only then say so.

The latch is in the database before anything happens here, and each step follows from what the
broker says, so that a process that starts in the middle goes on. Nothing here waits: it is asked
to go on again and again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.brokers.errors import BrokerError
from adapters.brokers.protocol import Broker
from database.connection import Database
from database.orders.risk import finish_halt
from live.executor.alerting import AccountAlerts
from live.executor.books import Books
from live.executor.orders.cancellation import Cancellation
from live.executor.orders.submission import Submission
from trading.execution.desk import TrackedOrder
from trading.execution.intent import Intent
from trading.orders.model import Leg, Order, Side, TimeInForce, client_order_id
from trading.risk.limits import TradingState
from trading.units import from_units

LOG = logging.getLogger(__name__)

RECONCILE_PAUSE = timedelta(seconds=5)
"""Before the broker is asked again why it holds what our books do not."""


class Halting:
    """Carries a halt out.

    Args:
        database: Where its end is written.
        account: The account's name.
        books: The books.
        broker: The broker.
        submission: Sends the closing orders.
        cancellation: Cancels all others.
        reconcile: Makes both books agree, should the broker hold what ours do not.
        now: The time.
        alerts: Tells people when the halt is done.
    """

    def __init__(
        self,
        *,
        database: Database,
        account: str,
        books: Books,
        broker: Broker,
        submission: Submission,
        cancellation: Cancellation,
        reconcile: Callable[[str], bool],
        now: Callable[[], datetime],
        alerts: AccountAlerts,
    ) -> None:
        self._database = database
        self._account = account
        self._books = books
        self._broker = broker
        self._submission = submission
        self._cancellation = cancellation
        self._reconcile = reconcile
        self._reconcile_at = now()
        self._now = now
        self._alerts = alerts

    def go_on(self, bar: int) -> None:
        """Do what can be done now.

        Args:
            bar: The start of the last bar that was seen, nanoseconds since 1970 in UTC.
        """
        risk = self._books.risk
        if risk.state is not TradingState.HALTED:
            return
        try:
            if self._cancel_all() or not risk.is_closing:
                return
            if risk.closes_positions and self._close_all(bar):
                return
            held = self._broker.positions()
        except BrokerError as error:
            LOG.warning("The halt of %s goes on when the broker answers: %s", self._account, error)
            return
        left = {symbol: str(own.quantity) for symbol, own in held.items() if own.quantity}
        if risk.closes_positions and left:
            self._ask_again()
            return
        self._books.risk = finish_halt(
            self._database, self._account, detail={"positions": left}, tell=self._alerts.halted
        )

    def _ask_again(self) -> None:
        """The broker holds what our books do not: have them agree, and go on from there."""
        if self._now() >= self._reconcile_at:
            self._reconcile_at = self._now() + RECONCILE_PAUSE
            self._reconcile("halt")

    def _cancel_all(self) -> bool:
        """Whether any order but a closing one may still fill.

        Also long after a halt: an order may come to light that was taken for lost.
        """
        for tracked in self._others():
            self._cancellation.ask(tracked)
        if not self._books.risk.is_closing:
            return bool(self._others())
        strangers = [
            told
            for told in self._broker.open_orders()
            if told.order.client_order_id not in self._books.desk.working
        ]
        if strangers:
            self._ask_again()  # which adopts them, to be cancelled next
        return bool(strangers or self._others())

    def _others(self) -> list[TrackedOrder]:
        """Working orders that close nothing."""
        working = self._books.desk.working.values()
        return [tracked for tracked in working if tracked.intent.order.leg is not Leg.CLOSE]

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
