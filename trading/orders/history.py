"""The state of an order as a fold over its events, in whatever order they arrived.

Events reach us twice, late and out of order: from the stream, from the answer to a request, from
a look-up after a reconnect. So the state is never changed by an event; it is computed from all
that are known, in an order that depends on what they say alone. Any permutation and any
duplication of the events gives the same result.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from trading.orders.states import OrderState, transition

LATE_FILL, OVERFILL, UNKNOWN_STATE = "LATE_FILL", "OVERFILL", "UNKNOWN_STATE"

FLAGS = {
    LATE_FILL: "filled after its end, and the fill is booked",
    OVERFILL: "filled by more than was asked for, and all of it is booked",
    UNKNOWN_STATE: "is in a state of the broker's that we do not know, and counts as alive",
}
"""What a person must look at about an order, and what it means."""

LOST = "LOST"
"""Why we take an order for rejected that the broker did not know after it was sent three times.
Whatever the broker says of it after all takes that back."""


class OrderEventKind(StrEnum):
    """What happened to an order."""

    INITIALIZED = "initialized"
    DENIED = "denied"
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    """The broker told a state that we do not know."""
    CANCEL_REQUESTED = "cancel_requested"
    CANCEL_REFUSED = "cancel_refused"
    CUMULATIVE = "cumulative"
    """The broker told how much is filled in all, and at what average price."""
    FILL = "fill"
    REJECTED = "rejected"
    CANCELED = "canceled"
    EXPIRED = "expired"


_RANK = {kind: rank for rank, kind in enumerate(OrderEventKind)}
_OURS = (OrderEventKind.INITIALIZED, OrderEventKind.DENIED, OrderEventKind.SUBMITTED)
_ANY_TIME = datetime.min.replace(tzinfo=UTC)
_ENDS = {
    OrderEventKind.DENIED: OrderState.DENIED,
    OrderEventKind.REJECTED: OrderState.REJECTED,
    OrderEventKind.CANCELED: OrderState.CANCELED,
    OrderEventKind.EXPIRED: OrderState.EXPIRED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderEvent:
    """One thing that happened to an order.

    Attributes:
        kind: What it was.
        at: When, by the clock of whoever says so.
        execution_id: Of a fill: the broker's name of it, by which it counts once.
        quantity: Of a fill: shares; of a cumulative: shares filled in all.
        price: Of a fill: dollars; of a cumulative: the average in dollars.
        reason: Of a denial or rejection: its code.
        fee: Of a fill: dollars.
    """

    kind: OrderEventKind
    at: datetime
    execution_id: str = ""
    quantity: Decimal = Decimal(0)
    price: Decimal = Decimal(0)
    reason: str = ""
    fee: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """What is known of an order.

    Attributes:
        state: Where it stands.
        filled: Shares filled.
        fills: The fills, each once, in order of time; last the one that closes the difference to
            what the broker says is filled in all, with the id `{order}:cumulative`.
        reason: Why it was denied or rejected; empty otherwise.
        flags: What a person must look at, sorted.
    """

    state: OrderState
    filled: Decimal
    fills: tuple[OrderEvent, ...]
    reason: str
    flags: tuple[str, ...]


def order_status(
    client_order_id: str, quantity: Decimal, events: Iterable[OrderEvent]
) -> OrderStatus:
    """Fold an order's events.

    Args:
        client_order_id: The order's name.
        quantity: Shares asked for.
        events: All events known, in any order, any of them any number of times.

    Raises:
        TransitionError: The events contradict the table of states, for instance a denied order
            that was filled.
    """
    once = _in_order(_without_lost(_distinct(events)))
    state, filled, late, reason = OrderState.INITIALIZED, Decimal(0), False, ""
    ended_at = None
    for event in once:
        if event.kind is OrderEventKind.FILL:
            filled += event.quantity
            late = late or state in {OrderState.CANCELED, OrderState.EXPIRED}
        state = _after(state, event, filled, quantity)
        if event.kind in _ENDS:
            reason = reason or event.reason
            ended_at = ended_at or event.at
    fills = [event for event in once if event.kind is OrderEventKind.FILL]
    if missing := _missing(client_order_id, fills, once):
        fills.append(missing)
        filled += missing.quantity
        # What was filled by the end is not late because it was told with the end.
        after_end = ended_at is not None and missing.at > ended_at
        late = late or (state in {OrderState.CANCELED, OrderState.EXPIRED} and after_end)
        state = _after(state, missing, filled, quantity)
    flags = {
        LATE_FILL: late,
        OVERFILL: filled > quantity,
        UNKNOWN_STATE: any(event.kind is OrderEventKind.UNKNOWN for event in once),
    }
    raised = tuple(sorted(flag for flag, holds in flags.items() if holds))
    return OrderStatus(state, filled, tuple(fills), reason, raised)


def _distinct(events: Iterable[OrderEvent]) -> list[OrderEvent]:
    """Each event once; a fill by its execution's id, the earliest where two accounts differ."""
    by_name: dict[object, OrderEvent] = {}
    for event in sorted(events, key=_content):
        by_name.setdefault(event.execution_id or event, event)
    return list(by_name.values())


def _without_lost(events: list[OrderEvent]) -> list[OrderEvent]:
    """The events without our guess that the order was lost, where the broker knows it."""
    own = {*_OURS, OrderEventKind.CANCEL_REQUESTED}
    if all(event.kind in own or _is_guess(event) for event in events):
        return events
    return [event for event in events if not _is_guess(event)]


def _is_guess(event: OrderEvent) -> bool:
    return event.kind is OrderEventKind.REJECTED and event.reason == LOST


def _content(event: OrderEvent) -> tuple[datetime, int, str, Decimal, Decimal, str, Decimal]:
    rank = _RANK[event.kind]
    return (
        event.at, rank, event.execution_id, event.quantity, event.price, event.reason, event.fee
    )  # fmt: skip


def _in_order(events: list[OrderEvent]) -> list[OrderEvent]:
    """The events as they must have happened.

    Ours come before the broker's, whose clock is another; and the broker has an order before it
    fills. A request to cancel that our clock puts after the end changes nothing there.
    """

    def place(event: OrderEvent) -> tuple[int, datetime, int, str]:
        rank = _RANK[event.kind]
        if event.kind in _OURS or event.kind is OrderEventKind.ACCEPTED:
            return rank, _ANY_TIME, rank, ""
        return len(_RANK), event.at, rank, event.execution_id

    return sorted(events, key=place)


def _after(state: OrderState, event: OrderEvent, filled: Decimal, quantity: Decimal) -> OrderState:
    """The state after one more event, `filled` with it."""
    kind = event.kind
    if kind is OrderEventKind.INITIALIZED:
        return state
    if kind is OrderEventKind.DENIED:
        return _step(state, OrderState.DENIED)
    state = _submitted(state)  # whatever a broker says of an order, it was sent
    if kind is OrderEventKind.FILL:
        return _after_fill(state, full=filled >= quantity)
    if kind in _ENDS:
        return _ended(state, _ENDS[kind], filled)
    return state if state.is_end else _while_alive(state, kind, filled)


def _while_alive(state: OrderState, kind: OrderEventKind, filled: Decimal) -> OrderState:
    """What an event that neither fills nor ends an order makes of it."""
    if kind is OrderEventKind.ACCEPTED and state is OrderState.SUBMITTED:
        return transition(state, OrderState.ACCEPTED)
    if kind is OrderEventKind.CANCEL_REQUESTED:
        return _step(_working(state), OrderState.PENDING_CANCEL)
    if kind is OrderEventKind.CANCEL_REFUSED:
        return _back(state, filled)
    return state


def _step(before: OrderState, after: OrderState) -> OrderState:
    return before if before is after else transition(before, after)


def _submitted(state: OrderState) -> OrderState:
    if state is OrderState.INITIALIZED:
        return transition(state, OrderState.SUBMITTED)
    return state


def _working(state: OrderState) -> OrderState:
    """A cancel can be asked for before the broker's answer; it then takes the order to have it."""
    if state is OrderState.SUBMITTED:
        return transition(state, OrderState.ACCEPTED)
    return state


def _back(state: OrderState, filled: Decimal) -> OrderState:
    if state is not OrderState.PENDING_CANCEL:
        return state
    return transition(state, OrderState.PARTIALLY_FILLED if filled else OrderState.ACCEPTED)


def _after_fill(state: OrderState, *, full: bool) -> OrderState:
    if state in {OrderState.CANCELED, OrderState.EXPIRED, OrderState.FILLED}:
        return state  # booked and flagged; the end stands
    if full:
        return transition(state, OrderState.FILLED)
    if state is OrderState.PENDING_CANCEL:
        return state
    return transition(state, OrderState.PARTIALLY_FILLED)


def _ended(state: OrderState, end: OrderState, filled: Decimal) -> OrderState:
    """The end that a broker told; a cancel that lost the race against a fill changes nothing."""
    if state is OrderState.FILLED and end in {OrderState.CANCELED, OrderState.EXPIRED}:
        return state
    if state is OrderState.PENDING_CANCEL and end is not OrderState.CANCELED:
        state = _back(state, filled)
    return _step(state, end)


def _missing(
    client_order_id: str, fills: list[OrderEvent], events: list[OrderEvent]
) -> OrderEvent | None:
    """The fill that closes the difference to what the broker says is filled in all."""
    told = [event for event in events if event.kind is OrderEventKind.CUMULATIVE]
    most = max(told, key=lambda event: (event.quantity, event.at, event.price), default=None)
    known = sum((fill.quantity for fill in fills), Decimal(0))
    if most is None or most.quantity <= known:
        return None
    delta = most.quantity - known
    paid = sum((Fraction(fill.quantity) * Fraction(fill.price) for fill in fills), Fraction(0))
    price = (Fraction(most.price) * Fraction(most.quantity) - paid) / Fraction(delta)
    return OrderEvent(
        kind=OrderEventKind.FILL,
        at=most.at,
        execution_id=f"{client_order_id}:cumulative",
        quantity=delta,
        price=Decimal(price.numerator) / Decimal(price.denominator),
    )
