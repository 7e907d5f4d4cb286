"""What is known of an account while it trades: positions, orders that work, prices.

A fold over the ledger and the order events, kept up as they come. The gate's questions are
answered from here, at worst: an order whose outcome is not known counts as working.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.execution.intent import Intent
from trading.orders.fills import Costs
from trading.orders.history import OrderEvent, OrderStatus, order_status
from trading.orders.model import Order, OrderType
from trading.orders.states import OrderState
from trading.portfolio.account import Account
from trading.portfolio.ledger import LedgerEvent
from trading.risk.exposure import Exposure
from trading.risk.gate import Opposite, Situation
from trading.risk.limits import TradingState
from trading.units import UNIT, to_units

MINUTE = 60 * UNIT


@dataclass(frozen=True, slots=True)
class TrackedOrder:
    """An order and all that is known of it.

    Attributes:
        intent: The order.
        events: What happened to it, each once.
        status: Their fold.
        broker_order_id: The broker's own name of it; empty until it is known.
    """

    intent: Intent
    events: tuple[OrderEvent, ...]
    status: OrderStatus
    broker_order_id: str = ""

    @classmethod
    def of(
        cls, intent: Intent, events: Iterable[OrderEvent], broker_order_id: str = ""
    ) -> TrackedOrder:
        """An order of these events.

        Raises:
            TransitionError: They contradict each other.
        """
        known = tuple(events)
        status = order_status(intent.order.client_order_id, intent.order.quantity, known)
        return cls(intent, known, status, broker_order_id)

    @property
    def name(self) -> str:
        """The order's client id."""
        return self.intent.order.client_order_id

    @property
    def remaining(self) -> Decimal:
        """Shares that may still fill."""
        if self.status.state.is_end:
            return Decimal(0)
        return max(Decimal(0), self.intent.order.quantity - self.status.filled)


@dataclass(frozen=True, slots=True)
class Price:
    """A symbol's last price: units, and when it was known in nanoseconds since 1970 in UTC."""

    units: int
    known_at: int


class Desk:
    """An account as it stands.

    Attributes:
        account: Cash and positions.
        working: Orders that have not ended, by name, in the order in which they were made.
        names: Names of all orders that ever were.
        prices: Last prices by symbol.
    """

    def __init__(self, ledger: Iterable[LedgerEvent] = ()) -> None:
        self.account = Account.of(ledger)
        self.working: dict[str, TrackedOrder] = {}
        self.names: set[str] = set()
        self.prices: dict[str, Price] = {}
        self._sent: deque[int] = deque()

    def book(self, events: Iterable[LedgerEvent]) -> None:
        """Fold more of the ledger, at the last prices."""
        for event in events:
            self.account.apply(event)
            price = self.prices.get(event.symbol)
            if price is not None:
                self.account.mark(event.symbol, price.units)

    def mark(self, symbol: str, price: Price) -> None:
        """Take a symbol's newer price; an older one changes nothing."""
        known = self.prices.get(symbol)
        if known is None or price.known_at >= known.known_at:
            self.prices[symbol] = price
            self.account.mark(symbol, price.units)

    def track(self, order: TrackedOrder) -> None:
        """Take an order as it stands now."""
        self.names.add(order.name)
        if order.status.state.is_end:
            self.working.pop(order.name, None)
        else:
            self.working[order.name] = order

    def sent(self, at: int) -> None:
        """Count an order that is sent at a moment."""
        self._sent.append(at)

    def orders_of(self, symbol: str) -> list[TrackedOrder]:
        """The symbol's working orders."""
        return [order for order in self.working.values() if order.intent.order.symbol == symbol]

    def exposure(self, symbol: str) -> Exposure:
        """The symbol's position and what could still be bought and sold."""
        buys = sells = 0
        for tracked in self.orders_of(symbol):
            order = tracked.intent.order
            if order.reduce_only:
                continue
            left = to_units(tracked.remaining, "quantity")
            if order.side > 0:
                buys += left
            else:
                sells += left
        return Exposure(self.account.quantity(symbol), buys, sells)

    def gross(self) -> int:
        """What all symbols are worth at worst, as money."""
        names = {*self.account.open}
        names |= {tracked.intent.order.symbol for tracked in self.working.values()}
        return sum(self.exposure(name).worst * self.price_of(name) for name in names)

    def price_of(self, symbol: str) -> int:
        """The last price in units; that of the last fill or decision before there is one."""
        price = self.prices.get(symbol)
        if price is not None:
            return price.units
        if holding := self.account.holdings.get(symbol):
            return holding.mark
        decided = (tracked.intent.order.decision_price for tracked in self.orders_of(symbol))
        return max((to_units(price, "price") for price in decided if price is not None), default=0)

    def situation(
        self,
        order: Order,
        *,
        state: TradingState,
        now: int,
        costs: Costs,
        reconciling: bool,
        takes_orders: bool,
        decided_at: int,
        locked: bool = False,
    ) -> Situation:
        """What the gate has to know when an order comes.

        Args:
            order: The order.
            state: What the account may do.
            now: Nanoseconds since 1970 in UTC.
            costs: What fills cost.
            reconciling: Whether the broker and we may not agree.
            takes_orders: Whether the exchange takes orders now.
            decided_at: When the bar's close was known that it was decided on.
            locked: Whether a guard bars entries in the symbol.
        """
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        symbol = order.symbol
        price = self.prices.get(symbol)
        return Situation(
            state=state,
            price=0 if price is None else price.units,
            # The older of the two: a fresh price does not make an old decision fresh.
            price_age=(now - min(decided_at, price.known_at if price else decided_at)) / UNIT,
            exposure=self.exposure(symbol),
            gross=self.gross(),
            equity=self.account.equity,
            costs=costs,
            locked=locked,
            reconciling=reconciling,
            market_open=takes_orders,
            seen=order.client_order_id in self.names,
            opposite=self._opposite(order),
            recent_orders=len(self._sent),
        )

    def _opposite(self, order: Order) -> tuple[Opposite, ...]:
        """Working orders on the other side that could trade with it."""
        return tuple(
            Opposite(price=None if other.price is None else to_units(other.price, "price"))
            for other in (tracked.intent.order for tracked in self.orders_of(order.symbol))
            if other.side != order.side and other.type is not OrderType.STOP
        )


def with_events(order: TrackedOrder, events: Iterable[OrderEvent]) -> TrackedOrder:
    """The order with more events.

    Raises:
        TransitionError: They contradict those that are known.
    """
    return replace(
        TrackedOrder.of(order.intent, (*order.events, *events)),
        broker_order_id=order.broker_order_id,
    )


def is_sent(order: TrackedOrder) -> bool:
    """Whether it was sent and the broker has not said yet what became of it."""
    return order.status.state is OrderState.SUBMITTED
