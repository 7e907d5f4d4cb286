"""Telling the bus what the ledger has: after it, in its order, and again after a crash."""

from __future__ import annotations

import logging

from database.connection import Database
from database.orders.intents import nanoseconds_of
from database.orders.publishing import UnpublishedEvent, mark_published, unpublished_events
from live.bus.port import Bus
from live.errors import BusError
from trading.events import AlertChanged, OrderChanged, Stream
from trading.execution.desk import TrackedOrder

LOG = logging.getLogger(__name__)


class Publishing:
    """Tells the bus of the orders of one account.

    Args:
        database: Where the ledger is.
        account: The account's name.
        bus: Who is told.
    """

    def __init__(self, database: Database, account: str, bus: Bus) -> None:
        self._database = database
        self._account = account
        self._bus = bus

    def publish(self) -> int:
        """Tell what is new; how much it was.

        What dies between the bus and the note that it knows is told again, as the same message.

        Raises:
            BusError: The bus does not take it; it stays to be told.
        """
        waiting = unpublished_events(self._database, self._account)
        if waiting:
            told = [(event.symbol, self._event(event)) for event in waiting]
            self._bus.publish_many(Stream.ORDERS, told)
            mark_published(self._database, [event.id for event in waiting])
        return len(waiting)

    def halted(self, reason: str, at: int) -> None:
        """Tell that a halt is done."""
        event = AlertChanged(
            rule="risk-state",
            subject=self._account,
            kind="firing",
            severity="critical",
            message=f"Account {self._account} is HALTED: {reason}.",
            at=at,
            identity=f"halted:{self._account}:{at}",
        )
        self._bus.publish(Stream.ALERTS, self._account, event)

    def flagged(self, order: TrackedOrder, flag: str, at: int) -> None:
        """Tell of an order that a person must look at; a bus that is gone stops no trading."""
        event = AlertChanged(
            rule="order-flag",
            subject=self._account,
            kind="firing",
            severity="warning",
            message=f"Order {order.name} of {order.intent.order.symbol}: {flag}.",
            at=at,
            identity=f"flag:{self._account}:{order.name}:{flag}",
        )
        try:
            self._bus.publish(Stream.ALERTS, self._account, event)
        except BusError as error:
            LOG.warning("The bus is not told of an order to look at: %s", error)

    def _event(self, event: UnpublishedEvent) -> OrderChanged:
        return OrderChanged(
            account=self._account,
            client_order_id=event.client_order_id,
            symbol=event.symbol,
            side="buy" if event.side > 0 else "sell",
            quantity=f"{event.quantity:f}",
            state=event.state,
            filled_quantity=f"{event.filled_quantity:f}",
            at=nanoseconds_of(event.at),
            identity=f"{self._account}:{event.client_order_id}:{event.identity}",
            price=None if event.price is None else f"{event.price:f}",
            code=event.code,
        )
