"""Asking for an order's end, once in a while until it comes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.brokers.errors import OrderRejectedError
from adapters.brokers.protocol import Broker
from live.executor.books import Books
from trading.execution.desk import TrackedOrder, is_sent
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.states import OrderState

LOG = logging.getLogger(__name__)

PAUSE = timedelta(seconds=2)
"""Before an order's end is asked for again."""


class Cancellation:
    """Cancels orders.

    Args:
        books: Where it is written down first.
        broker: Who is asked.
        now: The time.
    """

    def __init__(self, books: Books, broker: Broker, now: Callable[[], datetime]) -> None:
        self._books = books
        self._broker = broker
        self._now = now
        self._asked: dict[str, datetime] = {}

    def ask(self, order: TrackedOrder) -> None:
        """Ask for an order's end, and write down what the broker then says of it.

        An order whose sending got no answer is left alone until it is known whether it is there.

        Raises:
            BrokerError: The broker does not answer.
        """
        name, now = order.name, self._now()
        last = self._asked.get(name)
        if is_sent(order) or (last is not None and now - last < PAUSE):
            return
        self._asked[name] = now
        if order.status.state is not OrderState.PENDING_CANCEL:
            event = OrderEvent(kind=OrderEventKind.CANCEL_REQUESTED, at=now)
            self._books.happened(name, [event])
        try:
            self._broker.cancel(name, order.broker_order_id)
        except OrderRejectedError as error:
            # It has ended, or will: what it says of itself decides.
            LOG.info("Order %s is not cancelled: %s", name, error)
        found = self._broker.lookup(name)
        if found is not None:
            self._books.happened(name, found.events(), found.broker_order_id)
        if name not in self._books.desk.working:
            del self._asked[name]
