"""Sending an order until it is known what became of it: once at the broker, whatever happens.

The client order id makes it so: the broker takes no second order of the same name. An order whose
request got no answer is looked up; one that the broker does not know is sent again under the same
name, at most three times, and is then taken for lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from adapters.brokers.errors import (
    DuplicateOrderError,
    OrderRejectedError,
    OutcomeUnknownError,
)
from adapters.brokers.protocol import Broker, BrokerOrder
from live.executor.books import Books
from trading.execution.desk import TrackedOrder, is_sent
from trading.orders.history import LOST, OrderEvent, OrderEventKind

LOG = logging.getLogger(__name__)

MOST_SENDS = 3

PAUSES = (timedelta(seconds=1), timedelta(seconds=2), timedelta(seconds=4))
"""Before the next look, by how often the order was sent."""


@dataclass(slots=True)
class _Open:
    """An order whose outcome is not known.

    Attributes:
        sends: How often it was sent by this process.
        not_before: When to look again.
    """

    sends: int
    not_before: datetime


class Submission:
    """Sends orders and finds out what became of them.

    Args:
        books: Where it is written down.
        broker: Who gets them.
        now: The time.
        may_send: Whether an order may still be sent, by its age and the account's state.
        at_step: Told of each step.
    """

    def __init__(
        self,
        books: Books,
        broker: Broker,
        now: Callable[[], datetime],
        may_send: Callable[[TrackedOrder], bool],
        at_step: Callable[[str], None],
    ) -> None:
        self._books = books
        self._broker = broker
        self._now = now
        self._may_send = may_send
        self._at_step = at_step
        self._open: dict[str, _Open] = {}

    @property
    def unresolved(self) -> int:
        """Orders whose outcome is not known."""
        return len(self._open)

    def send(self, order: TrackedOrder) -> None:
        """Send an order whose intent is written, and write down the answer."""
        known = self._open.setdefault(order.name, _Open(0, self._now()))
        known.sends += 1
        self._at_step("intent committed")
        try:
            told = self._broker.submit(order.intent.order)
        except DuplicateOrderError:
            self._found(order)
        except OrderRejectedError as error:
            self._reject(order, error.reason)
        except OutcomeUnknownError as error:
            LOG.warning("What became of order %s is not known: %s", order.name, error)
            known.not_before = self._now() + _pause(known, error.retry_after)
            self._found(order)
        else:
            self._at_step("request sent")
            self._adopt(order, told)

    def resolve(self, *, at_once: bool = False) -> None:
        """Look at the orders whose outcome is not known, as far as it is time.

        Args:
            at_once: Whether to look at all of them now.
        """
        for order in [order for order in self._books.desk.working.values() if is_sent(order)]:
            # One that an earlier process sent is here for the first time.
            known = self._open.setdefault(order.name, _Open(0, self._now()))
            if at_once or known.not_before <= self._now():
                self._settle(order, known)
        for name in list(self._open):
            tracked = self._books.desk.working.get(name)
            if tracked is None or not is_sent(tracked):
                del self._open[name]

    def _settle(self, order: TrackedOrder, known: _Open) -> None:
        """Look an order up when it is time; send it again where the broker has none."""
        known.not_before = self._now() + _pause(known)
        if self._found(order) is not False:
            return
        if known.sends >= MOST_SENDS or not self._may_send(order):
            self._reject(order, LOST)
        else:
            self.send(order)

    def _found(self, order: TrackedOrder) -> bool | None:
        """Adopt the order if the broker has it; None when that cannot be told now."""
        try:
            told = self._broker.lookup(order.name)
        except OutcomeUnknownError as error:
            LOG.warning("Order %s cannot be looked up: %s", order.name, error)
            return None
        if told is not None:
            self._adopt(order, told)
        return told is not None

    def _adopt(self, order: TrackedOrder, told: BrokerOrder) -> None:
        self._books.happened(order.name, told.events(), told.broker_order_id)
        self._open.pop(order.name, None)
        self._at_step("answer recorded")

    def _reject(self, order: TrackedOrder, reason: str) -> None:
        LOG.error("Order %s is rejected: %s", order.name, reason)
        event = OrderEvent(kind=OrderEventKind.REJECTED, at=self._now(), reason=reason)
        self._books.happened(order.name, [event])
        self._open.pop(order.name, None)
        self._at_step("answer recorded")


def _pause(known: _Open, wait: float | None = None) -> timedelta:
    """How long until the next look; longer with each sending, and as the broker asks."""
    usual = PAUSES[min(max(known.sends, 1), len(PAUSES)) - 1]
    return usual if wait is None else max(usual, timedelta(seconds=wait))
