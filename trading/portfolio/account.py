"""Cash, positions and profit as a fold over the ledger, at average cost.

A fill of d shares (signed) at the price p on a position of q shares that cost C in all:

- the same sign: C grows by d * p, so the average C / q is weighted by shares;
- the opposite: of c = min(|d|, |q|) shares the cost leaves C, the difference to what they brought
  is realised; what goes through zero opens a position at p.

With R realised (dividends included), U = q * mark - C unrealised and F fees:
equity - deposits = R + U - F, to the last digit, because what leaves C is what R counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.units import UNIT, divided, from_units, to_dollars


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """A position from its first share to none.

    Attributes:
        symbol: The instrument's symbol.
        opened: When, nanoseconds since 1970 in UTC.
        closed: When it came to nothing or changed sides.
        pnl: What it earned after fees, dividends included, as money.
        order_id: The order whose fill ended it.
    """

    symbol: str
    opened: int
    closed: int
    pnl: int
    order_id: str


class Holding:
    """One symbol's position and what it has earned.

    Attributes:
        symbol: The instrument's symbol.
        quantity: Shares in units, below 0 when short.
        cost: What the shares cost, signed like the quantity, as money.
        mark: The last price known, in units; 0 before the first.
        value: The shares' worth at the last mark, as money.
        realized: What closed shares earned before fees, and dividends, as money.
        dividends: The dividends among it.
        fees: All fees.
        opened: When the position began.
        trip: What the position has earned so far that is realised, after fees.
    """

    __slots__ = (
        "cost", "dividends", "fees", "mark", "opened", "quantity", "realized", "symbol", "trip",
        "value",
    )  # fmt: skip

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.quantity = self.cost = self.mark = self.value = 0
        self.realized = self.dividends = self.fees = self.opened = self.trip = 0

    @property
    def average_price(self) -> Decimal | None:
        """Dollars per share at average cost; None without a position."""
        return to_dollars(self.cost) / from_units(self.quantity) if self.quantity else None

    @property
    def unrealized(self) -> int:
        """What the shares would earn at the last mark, as money."""
        return self.value - self.cost

    def reduced(self, closing: int, price: int) -> int:
        """Take out shares and their share of the cost; returns what that realises.

        Args:
            closing: Shares, signed against the position and at most as many.
            price: In units.
        """
        size = abs(self.quantity)
        leaving = divided(self.cost * abs(closing), size)
        self.quantity += closing
        self.cost -= leaving
        return -closing * price - leaving


class Account:
    """The fold. All attributes are money.

    Attributes:
        cash: What is there to spend; below 0 when borrowed.
        deposits: What was paid in, less what was paid out.
        holdings: By symbol, every one that ever was.
        open: Those with a position.
        trips: Positions that ended, in order.
    """

    __slots__ = ("cash", "deposits", "holdings", "open", "trips")

    def __init__(self) -> None:
        self.cash = self.deposits = 0
        self.holdings: dict[str, Holding] = {}
        self.open: dict[str, Holding] = {}
        self.trips: list[RoundTrip] = []

    @classmethod
    def of(cls, ledger: Iterable[LedgerEvent]) -> Account:
        """The account that the events make."""
        account = cls()
        for event in ledger:
            account.apply(event)
        return account

    @property
    def equity(self) -> int:
        """Cash and all positions at their last marks."""
        return self.cash + sum(holding.value for holding in self.open.values())

    @property
    def realized(self) -> int:
        """R: what closed shares earned before fees, and dividends."""
        return sum(holding.realized for holding in self.holdings.values())

    @property
    def unrealized(self) -> int:
        """U: what open shares would earn at the last marks."""
        return sum(holding.unrealized for holding in self.open.values())

    @property
    def fees(self) -> int:
        """F: all fees."""
        return sum(holding.fees for holding in self.holdings.values())

    def quantity(self, symbol: str) -> int:
        """Shares of the symbol in units."""
        holding = self.open.get(symbol)
        return holding.quantity if holding else 0

    def mark(self, symbol: str, price: int) -> None:
        """Value the symbol's shares at a price."""
        if holding := self.holdings.get(symbol):
            holding.mark = price
            holding.value = holding.quantity * price

    def apply(self, event: LedgerEvent) -> None:
        """Fold one more event.

        Raises:
            ValueError: A dividend or split of shares that are not held.
        """
        if event.kind is EventKind.DEPOSIT or not event.symbol:
            self.cash += event.quantity * event.price
            self.deposits += event.quantity * event.price
            return
        holding = self.holdings.get(event.symbol)
        if holding is None:
            holding = self.holdings[event.symbol] = Holding(event.symbol)
        match event.kind:
            case EventKind.FILL:
                self._fill(holding, event)
            case EventKind.DIVIDEND:
                self._dividend(holding, event)
            case EventKind.SPLIT:
                self._split(holding, event)
            case EventKind.CASH_IN_LIEU:
                self._cash_in_lieu(holding, event)
            case EventKind.ADJUSTMENT:
                self._adjustment(holding, event)
        if holding.quantity:
            self.open[event.symbol] = holding
        else:
            self.open.pop(event.symbol, None)

    def _fill(self, holding: Holding, event: LedgerEvent) -> None:
        delta, price, fee = event.quantity, event.price, event.fee
        self.cash -= delta * price + fee
        holding.fees += fee
        before = holding.quantity
        opening = delta
        if before and (before > 0) != (delta > 0):
            closing = delta if abs(delta) <= abs(before) else -before
            opening = delta - closing
            gain = holding.reduced(closing, price)
            holding.realized += gain
            part = fee if not opening else fee * abs(closing) // abs(delta)
            fee -= part
            holding.trip += gain - part
            if not holding.quantity:
                self._ended(holding, event)
        if opening:
            if not holding.quantity:
                holding.opened, holding.trip = event.timestamp, 0
            holding.quantity += opening
            holding.cost += opening * price
            holding.trip -= fee
        holding.mark = holding.mark or price
        holding.value = holding.quantity * holding.mark

    def _ended(self, holding: Holding, event: LedgerEvent) -> None:
        self.trips.append(
            RoundTrip(holding.symbol, holding.opened, event.timestamp, holding.trip, event.order_id)
        )

    def _dividend(self, holding: Holding, event: LedgerEvent) -> None:
        _must_hold(holding, event)
        paid = event.quantity * event.price
        self.cash += paid
        holding.realized += paid
        holding.dividends += paid
        holding.trip += paid

    def _split(self, holding: Holding, event: LedgerEvent) -> None:
        """More shares of the same cost and worth: neither value nor profit changes."""
        _must_hold(holding, event)
        holding.quantity += event.quantity
        holding.mark = divided(holding.mark * UNIT, event.price)

    def _adjustment(self, holding: Holding, event: LedgerEvent) -> None:
        """Shares paid in: bought with a deposit of what they are worth."""
        worth = event.quantity * event.price
        self._fill(holding, event)
        self.cash += worth
        self.deposits += worth

    def _cash_in_lieu(self, holding: Holding, event: LedgerEvent) -> None:
        """Cash for a fraction gives back cost, and so leaves value and profit as they were."""
        paid = event.quantity * event.price
        self.cash += paid
        holding.cost -= paid
        holding.value -= paid
        if not holding.quantity:
            # No share is left that the rest could belong to.
            gain = -holding.cost
            holding.realized += gain
            holding.trip += gain
            holding.cost = holding.value = 0
            self._ended(holding, event)


def _must_hold(holding: Holding, event: LedgerEvent) -> None:
    if not holding.quantity:
        raise ValueError(f"{event.kind.value} of {event.symbol}, of which no share is held")
