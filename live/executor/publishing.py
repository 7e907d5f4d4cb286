"""Telling the bus what the ledger has: after it, in its order, and again after a crash."""

from __future__ import annotations

from database.connection import Database
from database.orders.publishing import UnpublishedEvent, mark_published, unpublished_events
from live.bus.port import Bus
from trading.events import OrderChanged, Stream
from trading.instruments.clock import nanoseconds_of
from trading.units import plain_text


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

    def _event(self, event: UnpublishedEvent) -> OrderChanged:
        return OrderChanged(
            account=self._account,
            client_order_id=event.client_order_id,
            symbol=event.symbol,
            side="buy" if event.side > 0 else "sell",
            quantity=plain_text(event.quantity),
            state=event.state,
            filled_quantity=plain_text(event.filled_quantity),
            at=nanoseconds_of(event.at),
            identity=f"{self._account}:{event.client_order_id}:{event.identity}",
            price=None if event.price is None else plain_text(event.price),
            code=event.code,
        )
