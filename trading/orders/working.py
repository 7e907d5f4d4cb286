"""An order while it works: what is left of it, and the exits that hang on it. Numbers in units."""

from __future__ import annotations

from dataclasses import replace

from trading.orders.model import Leg, Order, OrderType, Side, TimeInForce
from trading.orders.states import OrderState, transition
from trading.units import divided, floored, to_units


class WorkingOrder:
    """One order of a book.

    Attributes:
        order: What was asked for.
        side: 1 to buy, -1 to sell.
        type: Market, limit or stop; a stop that was touched is a market order from then on.
        price: The limit or stop price, 0 for a market order.
        quantity: How much is to be filled in all. Of an exit, as much as its entry has filled and
            its counterpart has not yet closed.
        filled: How much is filled.
        state: Where it stands.
        reason: Why it was denied; empty otherwise.
        good_until: When it expires, nanoseconds since 1970 in UTC; None when it does not.
        entry: Of an exit: the order that it closes.
        exits: The stop loss and the take profit that its fills bring along, in this order.
    """

    __slots__ = (
        "entry", "exits", "filled", "good_until", "order", "price", "quantity", "reason", "side",
        "state", "type",
    )  # fmt: skip

    def __init__(
        self, order: Order, good_until: int | None = None, entry: WorkingOrder | None = None
    ) -> None:
        self.order = order
        self.side = int(order.side)
        self.type = order.type
        self.price = 0 if order.price is None else to_units(order.price, "price")
        self.quantity = to_units(order.quantity, "quantity")
        self.filled = 0
        self.state = OrderState.INITIALIZED
        self.reason = ""
        self.good_until = good_until
        self.entry = entry
        self.exits: list[WorkingOrder] = []

    @property
    def remaining(self) -> int:
        """How much is still to be filled."""
        return self.quantity - self.filled

    @property
    def reduces_only(self) -> bool:
        """Whether it may never make a position larger or turn it around."""
        return self.entry is not None or self.order.reduce_only

    @property
    def is_stop_loss(self) -> bool:
        """Whether it is the stop of a bracket."""
        return self.order.leg is Leg.STOP_LOSS

    def become(self, state: OrderState) -> None:
        """Go to a state.

        Raises:
            TransitionError: The table of states has no such step.
        """
        self.state = transition(self.state, state)

    def accept(self) -> None:
        """Be sent and taken, with the exits that its fills bring along."""
        self.become(OrderState.SUBMITTED)
        self.become(OrderState.ACCEPTED)
        if self.order.stop_loss is not None or self.order.take_profit is not None:
            self.exits = _exits_of(self)

    def deny(self, code: str) -> None:
        """Be refused by our own gate."""
        self.become(OrderState.DENIED)
        self.reason = code

    def fill(self, quantity: int) -> None:
        """Count a fill, and what it means for the exits."""
        self.filled += quantity
        full = self.filled == self.quantity
        self.become(OrderState.FILLED if full else OrderState.PARTIALLY_FILLED)
        for leg in self.exits:
            leg.quantity += quantity
        if self.entry:
            for leg in self.entry.exits:
                if leg is not self:
                    leg.quantity -= quantity

    def split(self, numerator: int, denominator: int, increment: int) -> None:
        """Go on for as much of the new shares, floored, at a price of a new share.

        Args:
            numerator: New shares ...
            denominator: ... for so many old ones.
            increment: The instrument's increment.
        """
        scaled = floored(self.remaining * numerator // denominator, increment)
        self.quantity = self.filled + scaled
        self.price = divided(self.price * denominator, numerator)


def _exits_of(entry: WorkingOrder) -> list[WorkingOrder]:
    """The exits that an entry brings along, for no share yet."""
    order = entry.order
    prices = (
        (Leg.STOP_LOSS, OrderType.STOP, order.stop_loss),
        (Leg.TAKE_PROFIT, OrderType.LIMIT, order.take_profit),
    )
    exits = []
    for leg, kind, price in prices:
        if price is not None:
            asked = replace(
                order,
                client_order_id=f"{order.client_order_id}:{leg.value}",
                side=Side(-order.side),
                type=kind,
                price=price,
                time_in_force=TimeInForce.GTC,
                stop_loss=None,
                take_profit=None,
                leg=leg,
                decision_price=price,
            )
            exits.append(WorkingOrder(asked, entry=entry))
            exits[-1].quantity = 0
            exits[-1].accept()
    return exits
