"""Orders and updates between our words and Alpaca's."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from adapters.brokers.errors import OrderRejectedError, OutcomeUnknownError
from adapters.brokers.protocol import (
    BrokerOrder,
    BrokerStatus,
    OrderUpdate,
    refuse_attached_exits,
)
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.symbols import our_symbol, vendor_symbol
from trading.execution.intent import ADOPTED
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.model import Order, OrderType, Side, TimeInForce
from trading.units import plain_text

_WORKING = (
    "new", "partially_filled", "done_for_day", "accepted", "pending_new", "pending_cancel",
    "accepted_for_bidding", "stopped", "suspended", "calculated", "held", "pending_replace",
    "pending_review",
)  # fmt: skip
STATUSES = {
    **dict.fromkeys(_WORKING, BrokerStatus.WORKING),
    "filled": BrokerStatus.FILLED,
    "canceled": BrokerStatus.CANCELED,
    # Replaced by an order of another name, which is looked at by itself.
    "replaced": BrokerStatus.CANCELED,
    "expired": BrokerStatus.EXPIRED,
    "rejected": BrokerStatus.REJECTED,
}
"""What Alpaca calls an order's state, and what that means; any other word counts as alive."""

_ENDED_AT = {
    BrokerStatus.CANCELED: ("canceled_at", "replaced_at"),
    BrokerStatus.EXPIRED: ("expired_at",),
    BrokerStatus.REJECTED: ("failed_at",),
}

_FRACTION = re.compile(r"\.(\d{6})\d+")

T = TypeVar("T")


def request_of(order: Order) -> dict[str, str]:
    """The body of the request that sends an order.

    Raises:
        OrderRejectedError: Alpaca does not take such an order, or we do not send it.
    """
    refuse_attached_exits(order)
    try:
        symbol = vendor_symbol(order.symbol)
    except SourceError as error:
        raise OrderRejectedError(error.reason) from None
    body = {
        "symbol": symbol,
        # As text: a float would round a fraction of a share.
        "qty": plain_text(order.quantity),
        "side": "buy" if order.side is Side.BUY else "sell",
        "type": order.type.value,
        "time_in_force": order.time_in_force.value,
        "client_order_id": order.client_order_id,
    }
    if order.price is not None:
        body["limit_price" if order.type is OrderType.LIMIT else "stop_price"] = plain_text(
            order.price
        )
    return body


def order_of(row: Any) -> BrokerOrder:  # noqa: ANN401 - JSON
    """The order that an answer describes.

    Raises:
        OutcomeUnknownError: The answer lacks something.
    """
    return _read(_order, row)


def update_of(data: Any) -> OrderUpdate:  # noqa: ANN401 - JSON
    """The news in a message of `trade_updates`.

    Raises:
        OutcomeUnknownError: The message lacks something.
    """
    return _read(_update, data)


def moment(text: str) -> datetime:
    """A time of Alpaca's, to the microsecond."""
    return datetime.fromisoformat(_FRACTION.sub(r".\1", text)).astimezone(UTC)


def _read(reader: Callable[[Any], T], content: Any) -> T:  # noqa: ANN401 - JSON
    try:
        return reader(content)
    except (KeyError, TypeError, ValueError, InvalidOperation, AttributeError) as error:
        words = f"Alpaca's answer is no order ({type(error).__name__}: {error})"
        raise OutcomeUnknownError(words[:200]) from None


def _order(row: Mapping[str, Any]) -> BrokerOrder:
    text = str(row["status"])
    status = STATUSES.get(text, BrokerStatus.UNKNOWN)
    ended = (row.get(name) for name in _ENDED_AT.get(status, ()))
    updated = next((at for at in ended if at), None) or row.get("updated_at") or row["created_at"]
    return BrokerOrder(
        order=_asked(row),
        broker_order_id=str(row["id"]),
        status=status,
        status_text=text,
        filled_quantity=Decimal(row.get("filled_qty") or 0),
        average_price=Decimal(row.get("filled_avg_price") or 0),
        submitted_at=moment(row.get("submitted_at") or row["created_at"]),
        updated_at=moment(updated),
    )


def _asked(row: Mapping[str, Any]) -> Order:
    """What was asked for; of an order that is not ours only what we need to follow it."""
    kind = {"market": OrderType.MARKET, "stop": OrderType.STOP}.get(row["type"], OrderType.LIMIT)
    told = row.get("limit_price") or row.get("stop_price")
    price = None if told is None or kind is OrderType.MARKET else Decimal(told)
    if price is None:
        kind = OrderType.MARKET  # also a trailing stop, whose price moves
    ticker = str(row["symbol"])
    quantity = row.get("qty")
    if quantity is None:
        # Asked for in dollars: what it will come to is not known before it has filled.
        quantity = row.get("filled_qty") or 0
    return Order(
        client_order_id=str(row["client_order_id"]),
        symbol=our_symbol(ticker) or ticker,
        side=Side.BUY if row["side"] == "buy" else Side.SELL,
        quantity=Decimal(quantity) or Decimal(1),
        type=kind,
        price=price,
        time_in_force=TimeInForce.DAY if row["time_in_force"] == "day" else TimeInForce.GTC,
        strategy=ADOPTED,
    )


def _update(data: Mapping[str, Any]) -> OrderUpdate:
    order = _order(data["order"])
    event, at = str(data["event"]), data.get("timestamp")
    events: list[OrderEvent] = []
    if event in {"fill", "partial_fill"}:
        events.append(
            OrderEvent(
                kind=OrderEventKind.FILL,
                at=moment(at or data["order"]["updated_at"]),
                execution_id=str(data["execution_id"]),
                quantity=Decimal(data["qty"]),
                price=Decimal(data["price"]),
            )
        )
    if event == "order_cancel_rejected":
        refused = moment(at) if at else order.updated_at
        events.append(OrderEvent(kind=OrderEventKind.CANCEL_REFUSED, at=refused))
    told = order if not events else replace(order, updated_at=max(order.updated_at, events[0].at))
    return OrderUpdate(order=told, events=(*events, *told.events()))
