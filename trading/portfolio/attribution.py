"""Where a change of equity came from: strategy x symbol x price, dividends, fees, slippage.

The parts add up to the change of equity to the last digit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading.errors import DataError
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.units import to_dollars

ADJUSTED = "adjustment"
"""Whose shares those are that no order of ours brought."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What an order was made of: the strategy, and the price in units it decided at."""

    strategy: str
    price: int | None


@dataclass(slots=True)
class Share:
    """What one strategy earned in one symbol, as money.

    Attributes:
        quantity: Shares it holds, in units.
        price: What it would have earned at the decision prices, with cash for fractions of a
            share.
        dividends: What its shares were paid.
        fees: What its fills cost, below 0.
        slippage: What its fills cost against the decision prices, below 0 when they were worse;
            0 for an order without one.
    """

    quantity: int = 0
    price: int = 0
    dividends: int = 0
    fees: int = 0
    slippage: int = 0

    @property
    def total(self) -> int:
        """All parts together."""
        return self.price + self.dividends + self.fees + self.slippage

    def dollars(self) -> dict[str, Decimal]:
        """The parts and their total in dollars."""
        parts = ("price", "dividends", "fees", "slippage", "total")
        return {name: to_dollars(getattr(self, name)) for name in parts}


Attribution = dict[tuple[str, str], Share]
"""By strategy and symbol."""


def attribution(
    ledger: Iterable[LedgerEvent], decisions: Mapping[str, Decision], account: Account
) -> Attribution:
    """Share out what an account earned.

    Args:
        ledger: All events of the account.
        decisions: Of each order in the ledger, by its id.
        account: The fold over the ledger, marked.

    Raises:
        DataError: An order of the ledger is not among the decisions.
    """
    found: Attribution = {}
    for event in ledger:
        if event.kind is EventKind.FILL:
            _fill(found, event, decisions)
        elif event.kind is EventKind.ADJUSTMENT and event.symbol:
            own = found.setdefault((ADJUSTED, event.symbol), Share())
            own.quantity += event.quantity
            own.price -= event.quantity * event.price
        elif event.kind is not EventKind.DEPOSIT and event.symbol:
            _held(found, event)
    for symbol, holding in account.holdings.items():
        owners = _owners(found, symbol)
        for share in owners:
            share.price += share.quantity * holding.mark
        # Between a split and the next close a holding is worth what it was, to the last digit.
        owners[-1].price += holding.value - holding.quantity * holding.mark
    return found


def _fill(found: Attribution, event: LedgerEvent, decisions: Mapping[str, Decision]) -> None:
    decision = decisions.get(event.order_id)
    if decision is None:
        raise DataError(
            "ledger", f"no decision is known of its order {event.order_id}", "pass all orders"
        )
    share = found.setdefault((decision.strategy, event.symbol), Share())
    decided = event.price if decision.price is None else decision.price
    share.quantity += event.quantity
    share.price -= event.quantity * decided
    share.slippage -= event.quantity * (event.price - decided)
    share.fees -= event.fee


def _held(found: Attribution, event: LedgerEvent) -> None:
    """What comes to shares that are held goes to those who hold them."""
    owners = _owners(found, event.symbol)
    weights = [own.quantity for own in owners]
    if event.kind is EventKind.SPLIT:
        for share, part in zip(owners, _parts(event.quantity, weights), strict=True):
            share.quantity += part
        return
    for share, part in zip(owners, _parts(event.quantity * event.price, weights), strict=True):
        if event.kind is EventKind.DIVIDEND:
            share.dividends += part
        else:
            share.price += part


def _owners(found: Attribution, symbol: str) -> list[Share]:
    """Who holds the symbol; after a split to nothing, whoever traded it last to be paid."""
    own = [share for (_, name), share in found.items() if name == symbol]
    return [share for share in own if share.quantity] or own[-1:]


def _parts(amount: int, weights: list[int]) -> list[int]:
    """The amount shared out by signed weights, exactly: what rounding leaves goes to the last."""
    total = sum(weights)
    if not total:
        return [*(0 for _ in weights[:-1]), amount] if weights else []
    parts = [amount * weight // total for weight in weights]
    parts[-1] += amount - sum(parts)
    return parts
