"""What the risk gate has to know of a run: exposures, names used, orders of the last minute."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from trading.backtest.terms import Terms
from trading.orders.book import Book
from trading.orders.model import Order, OrderType
from trading.orders.working import WorkingOrder
from trading.portfolio.account import Account
from trading.risk.exposure import Exposure
from trading.risk.gate import Opposite, Situation, denial
from trading.risk.guards import EVERYWHERE
from trading.risk.limits import Code, TradingState
from trading.units import UNIT

_MINUTE = 60 * UNIT
"""In nanoseconds."""


class Gatekeeper:
    """Asks the gate about each order of a run, with what has happened in it so far."""

    def __init__(self, account: Account, busy: Mapping[str, Book], terms: Terms) -> None:
        """Watch an account.

        Args:
            account: The run's account; it changes while this looks.
            busy: Its books that have orders, by symbol; likewise.
            terms: Limits, guards and costs.
        """
        self._account = account
        self._busy = busy
        self._terms = terms
        self._now = 0
        self._equity = 0
        self._state = TradingState.ACTIVE
        self._seen: set[str] = set()
        self._stops: set[str] = set()
        self._sent: deque[int] = deque()
        self._prices: dict[str, int] = {}
        self._gross: int | None = None
        self._locks: set[str] | None = None

    def now_at(self, now: int, equity: int, state: TradingState) -> None:
        """Go on to a bar at whose close orders may come.

        Args:
            now: The bar's start, nanoseconds since 1970 in UTC.
            equity: As money.
            state: What the account may do.
        """
        self._now, self._equity, self._state = now, equity, state
        self._gross = self._locks = None
        while self._sent and self._sent[0] <= now - _MINUTE:
            self._sent.popleft()

    def forget_gross(self) -> None:
        """Orders were cancelled, so the exposure is to be added up anew."""
        self._gross = None

    def split(self, symbol: str, numerator: int, denominator: int) -> None:
        """Bring the symbol's last price to `numerator` new shares for `denominator` old ones."""
        if symbol in self._prices:
            self._prices[symbol] = self._prices[symbol] * denominator // numerator

    def denial(self, order: Order, price: int) -> Code | None:
        """Why the order may not be sent; None when it may.

        Args:
            order: The order.
            price: Its symbol's close, in units; 0 when it has none.
        """
        symbol = order.symbol
        now = Situation(
            state=self._state,
            price=price,
            exposure=self._exposure(symbol),
            gross=self._added_up(),
            equity=self._equity,
            costs=self._terms.costs,
            locked=self._is_locked(symbol),
            seen=order.client_order_id in self._seen,
            opposite=_opposite(order, self._busy.get(symbol)),
            recent_orders=len(self._sent),
        )
        return denial(order, now, self._terms.limits)

    def accepted(self, working: WorkingOrder, price: int) -> None:
        """Count an order that the book has taken.

        Args:
            working: The order.
            price: Its symbol's close, in units; 0 when it has none.
        """
        order = working.order
        self._prices[order.symbol] = price
        if self._gross is not None and not working.reduces_only:
            after = self._exposure(order.symbol)
            before = after.with_order(working.side, -working.quantity)
            self._gross += (after.worst - before.worst) * price
        self._seen.add(order.client_order_id)
        self._sent.append(self._now)
        self._stops |= {leg.order.client_order_id for leg in working.exits if leg.is_stop_loss}

    def only_reduces(self, symbol: str) -> bool:
        """Whether only what makes the symbol's position smaller would pass."""
        return self._state is not TradingState.ACTIVE or self._is_locked(symbol)

    def _added_up(self) -> int:
        """The exposure in all symbols at worst, as money."""
        if self._gross is None:
            names = {*self._account.open, *self._busy}
            self._gross = sum(self._exposure(name).worst * self._price(name) for name in names)
        return self._gross

    def _exposure(self, symbol: str) -> Exposure:
        book = self._busy.get(symbol)
        buys, sells = book.open_quantities() if book else (0, 0)
        return Exposure(self._account.quantity(symbol), buys, sells)

    def _price(self, symbol: str) -> int:
        """The last price known of a symbol that is held or has orders."""
        holding = self._account.open.get(symbol)
        return holding.mark if holding else self._prices[symbol]

    def _is_locked(self, symbol: str) -> bool:
        if not self._terms.guards:
            return False
        if self._locks is None:
            trips, stops = self._account.trips, frozenset(self._stops)
            found = (guard.locks(trips, stops, self._now) for guard in self._terms.guards)
            self._locks = {name for names in found for name in names}
        return symbol in self._locks or EVERYWHERE in self._locks


def _opposite(order: Order, book: Book | None) -> tuple[Opposite, ...]:
    """Working orders on the other side that could trade with it: limits, and what is at any price.

    A stop that was not touched rests apart from the market.
    """
    return tuple(
        Opposite(price=working.price if working.type is OrderType.LIMIT else None)
        for working in (book.orders if book else ())
        if working.side != order.side and working.quantity and working.type is not OrderType.STOP
    )
