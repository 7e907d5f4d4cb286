"""The orders of one symbol that work, and the fills that a bar gives them. Numbers in units.

Backtests and the paper broker fill by it. Within a bar orders come in the order in which they
were accepted, an entry's exits right after it, the stop before the target. All share what the
bar's volume allows.
"""

from __future__ import annotations

from typing import NamedTuple

from trading.orders.fills import Costs, touched
from trading.orders.model import Leg, OrderType
from trading.orders.states import OrderState
from trading.orders.working import WorkingOrder
from trading.units import quantity_of

_MARKET, _STOP = OrderType.MARKET, OrderType.STOP


class Bar(NamedTuple):
    """One bar that was really traded: prices in units, volume in shares."""

    open: int
    high: int
    low: int
    close: int
    volume: float


class Fill(NamedTuple):
    """What a bar gave to an order.

    Attributes:
        working: The order.
        quantity: Signed shares in units.
        price: After slippage, in units.
        fee: As money.
    """

    working: WorkingOrder
    quantity: int
    price: int
    fee: int


class Book:
    """The working orders of one symbol.

    Attributes:
        increment: Smallest step of a quantity, in units.
        costs: What fills cost.
        orders: Those that work, in the order of acceptance.
    """

    __slots__ = ("costs", "increment", "orders")

    def __init__(self, increment: int, costs: Costs) -> None:
        self.increment = increment
        self.costs = costs
        self.orders: list[WorkingOrder] = []

    def accept(self, working: WorkingOrder) -> None:
        """Take an order, which works from the next bar on, and its exits behind it."""
        working.accept()
        self.orders.append(working)
        self.orders += working.exits

    def match(self, bar: Bar, position: int) -> list[Fill]:
        """The fills that a bar gives, in order; orders that end leave the book.

        Args:
            bar: The bar; never a missing, forward-filled or stale one.
            position: Shares held before it.
        """
        volume = bar.volume if bar.volume == bar.volume else 0.0
        available = self.costs.available(quantity_of(volume), self.increment)
        entered: dict[WorkingOrder, int] = {}
        fills = []
        for working in tuple(self.orders):
            fill = self._fill_of(working, bar, position, available, entered)
            if fill is None:
                continue
            fills.append(fill)
            position += fill.quantity
            if available is not None:
                available -= abs(fill.quantity)
        self.orders = [working for working in self.orders if not working.state.is_end]
        return fills

    def _fill_of(
        self,
        working: WorkingOrder,
        bar: Bar,
        position: int,
        available: int | None,
        entered: dict[WorkingOrder, int],
    ) -> Fill | None:
        """What the bar gives to one order; None for nothing.

        Args:
            working: The order.
            bar: The bar.
            position: Shares held by now.
            available: What of the volume is left; None for no bound.
            entered: Orders that the bar has filled so far, with the prices before slippage.
        """
        if working.state.is_end or not working.quantity:
            return None
        entry_price = entered.get(working.entry) if working.entry else None
        price = _price(working, bar, entry_price)
        if price is None:
            return None
        kind = working.type
        if kind is _STOP:
            working.type = _MARKET  # touched; what this bar does not fill goes on at the next open
        wanted = working.remaining
        if working.reduces_only:
            wanted = min(wanted, max(-position * working.side, 0))
            if not wanted:
                self._end(working, OrderState.CANCELED)
                return None
        quantity = wanted if available is None else min(wanted, available)
        if not quantity:
            return None
        entered[working] = price
        working.fill(quantity)
        self._after(working)
        paid = self.costs.slipped(price, working.side, kind)
        return Fill(working, working.side * quantity, paid, self.costs.fee(quantity, paid))

    def _after(self, working: WorkingOrder) -> None:
        """An exit that fills ends the rest of its entry, and its counterpart once all is out."""
        entry = working.entry
        if entry is None:
            return
        if not entry.state.is_end:
            self._end(entry, OrderState.CANCELED)
        for leg in entry.exits:
            if not leg.state.is_end and not leg.remaining:
                self._end(leg, OrderState.CANCELED)

    def cancel(self, working: WorkingOrder) -> None:
        """End an order and, where it has filled nothing, its exits; its fills stay."""
        self._end(working, OrderState.CANCELED)
        self.orders = [other for other in self.orders if not other.state.is_end]

    def cancel_all(self) -> None:
        """End all orders."""
        for working in self.orders:
            if not working.state.is_end:
                self._end(working, OrderState.CANCELED)
        self.orders = []

    def expire(self, now: int) -> None:
        """End the orders whose session is over at `now`, nanoseconds since 1970 in UTC."""
        for working in self.orders:
            until = working.good_until
            if until is not None and until <= now and not working.state.is_end:
                self._end(working, OrderState.EXPIRED)
        self.orders = [working for working in self.orders if not working.state.is_end]

    def split(self, numerator: int, denominator: int) -> None:
        """Bring all orders to the shares and prices after a split; those under one step end."""
        for working in self.orders:
            asked = bool(working.remaining)
            working.split(numerator, denominator, self.increment)
            if asked and not working.remaining:
                self._end(working, OrderState.CANCELED)
        self.orders = [working for working in self.orders if not working.state.is_end]

    def open_quantities(self) -> tuple[int, int]:
        """How much orders could still buy and sell, exits not counted: they only reduce."""
        bought = sold = 0
        for working in self.orders:
            if working.reduces_only:
                continue
            if working.side > 0:
                bought += working.remaining
            else:
                sold += working.remaining
        return bought, sold

    def _end(self, working: WorkingOrder, state: OrderState) -> None:
        if state is OrderState.CANCELED:
            working.become(OrderState.PENDING_CANCEL)
        working.become(state)
        if not working.filled:
            for leg in working.exits:
                if not leg.state.is_end:
                    self._end(leg, OrderState.CANCELED)


def _price(working: WorkingOrder, bar: Bar, entry_price: int | None) -> int | None:
    """The price before slippage that the bar has for an order.

    An exit whose entry this bar filled works from that price on. What the bar did before is not
    known of it, so a target then waits for the next bar unless the entry was filled at the open.
    """
    opened = bar.open if entry_price is None else entry_price
    if opened != bar.open and working.order.leg is Leg.TAKE_PROFIT:
        return None
    return touched(working.type, working.side, working.price, opened, bar.high, bar.low)
