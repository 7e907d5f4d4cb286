"""What every broker can be asked, and in which words it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from adapters.brokers.errors import OrderRejectedError
from trading.execution.comparison import Held
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.model import Order


class BrokerStatus(StrEnum):
    """Where an order stands at the broker."""

    WORKING = "working"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    """A word that we do not know: the order counts as alive."""

    @property
    def is_end(self) -> bool:
        """Whether nothing more comes of the order."""
        return self not in {BrokerStatus.WORKING, BrokerStatus.UNKNOWN}


_ENDS = {
    BrokerStatus.CANCELED: OrderEventKind.CANCELED,
    BrokerStatus.EXPIRED: OrderEventKind.EXPIRED,
    BrokerStatus.REJECTED: OrderEventKind.REJECTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerOrder:
    """An order as the broker has it.

    Attributes:
        order: What was asked for.
        broker_order_id: Its own name of it.
        status: Where it stands.
        status_text: The same in the broker's word.
        filled_quantity: Shares filled in all.
        average_price: Their average price; 0 without any.
        submitted_at: When it came.
        updated_at: When it last changed.
    """

    order: Order
    broker_order_id: str
    status: BrokerStatus
    status_text: str = ""
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    submitted_at: datetime
    updated_at: datetime

    def events(self) -> list[OrderEvent]:
        """What it says happened, as events of the order's history."""
        found = []
        if self.status is not BrokerStatus.REJECTED:
            found.append(OrderEvent(kind=OrderEventKind.ACCEPTED, at=self.submitted_at))
        if self.filled_quantity:
            found.append(
                OrderEvent(
                    kind=OrderEventKind.CUMULATIVE,
                    at=self.updated_at,
                    quantity=self.filled_quantity,
                    price=self.average_price,
                )
            )
        if self.status in _ENDS:
            rejected = self.status is BrokerStatus.REJECTED
            words = (self.status_text or "rejected") if rejected else ""
            found.append(OrderEvent(kind=_ENDS[self.status], at=self.updated_at, reason=words))
        if self.status is BrokerStatus.UNKNOWN:
            found.append(
                OrderEvent(kind=OrderEventKind.UNKNOWN, at=self.updated_at, reason=self.status_text)
            )
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderUpdate:
    """News of one order: how it stands, and what happened just now.

    Attributes:
        order: The order as it is.
        events: What happened, e.g. a fill with its execution's id.
    """

    order: BrokerOrder
    events: tuple[OrderEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccount:
    """The account at the broker.

    Attributes:
        number: The broker's name of it.
        cash: Dollars, below 0 when borrowed.
        equity: Cash and positions; None when it is not told.
        is_blocked: Whether the broker takes no orders.
    """

    number: str
    cash: Decimal
    equity: Decimal | None = None
    is_blocked: bool = False


@dataclass(frozen=True, slots=True)
class BrokerClock:
    """The broker's time, and whether the exchange is open by it."""

    now: datetime
    is_open: bool


class UpdateStream(Protocol):
    """What tells of orders as they change."""

    def receive(self, wait_seconds: float) -> Sequence[OrderUpdate]:
        """What has come, in order; waits for the first so long.

        Raises:
            OutcomeUnknownError: The connection broke: what came in between is to be looked up.
            BrokerAccessError: The broker refuses the keys.
        """

    def close(self) -> None:
        """End it; safe to call twice."""


class Broker(Protocol):
    """One account at one broker; used by one thread at a time.

    Every method raises `OutcomeUnknownError` when there was no usable answer, and
    `BrokerAccessError` when the broker refuses the keys.
    """

    @property
    def name(self) -> str:
        """The broker."""

    def submit(self, order: Order) -> BrokerOrder:
        """Send an order.

        Raises:
            OrderRejectedError: The broker refuses it.
            DuplicateOrderError: It has one of that name.
        """

    def cancel(self, name: str, broker_order_id: str) -> None:
        """Ask for an order's end; whether it comes is told like everything else.

        Raises:
            OrderRejectedError: The order cannot be cancelled any more.
        """

    def lookup(self, name: str) -> BrokerOrder | None:
        """The order of that client order id; None when the broker has none."""

    def open_orders(self) -> Sequence[BrokerOrder]:
        """All orders that may still fill."""

    def positions(self) -> Mapping[str, Held]:
        """What is held, by symbol."""

    def account(self) -> BrokerAccount:
        """The account."""

    def clock(self) -> BrokerClock:
        """The broker's time."""

    def updates(self) -> UpdateStream:
        """What tells of orders as they change, from now on."""

    def close(self) -> None:
        """End the connections; safe to call twice."""


def refuse_attached_exits(order: Order) -> None:
    """Refuse an order that a stop loss or take profit hangs on: no broker gets one from us.

    Strategies say targets, so that only a program with orders of its own comes here. An order
    that was taken without its stop would be worse than none.

    Raises:
        OrderRejectedError: It has one.
    """
    if order.stop_loss is not None or order.take_profit is not None:
        raise OrderRejectedError(
            "a stop loss or take profit that hangs on an order is not sent: send the order "
            "without, and close by a target or an order of its own"
        )
