"""What our ledger and the broker say of one account, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

CENT = Decimal("0.01")

AVERAGE_TOLERANCE = Decimal("0.0001")
"""Share of a price by which averages may differ: brokers round them, and some match lots."""


class DifferenceKind(StrEnum):
    """What differs."""

    POSITION = "position"
    CASH = "cash"
    AVERAGE_PRICE = "average_price"
    """Only worth a word: brokers average in more than one way."""
    ORDER_UNKNOWN_HERE = "order_unknown_here"
    ORDER_UNKNOWN_THERE = "order_unknown_there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that the two do not say alike.

    Attributes:
        kind: What.
        subject: The symbol or the order; empty for cash.
        ours: What we have.
        theirs: What the broker has.
        price: Of a position: what the broker takes a share to have cost; None when it has none.
    """

    kind: DifferenceKind
    subject: str
    ours: Decimal
    theirs: Decimal
    price: Decimal | None = None

    @property
    def blocks_trading(self) -> bool:
        """Whether nothing may be sent before it is gone."""
        return self.kind is not DifferenceKind.AVERAGE_PRICE

    def __str__(self) -> str:
        named = f" of {self.subject}" if self.subject else ""
        return f"{self.kind.value}{named}: {self.ours} here, {self.theirs} at the broker"


@dataclass(frozen=True, slots=True)
class Held:
    """A position: shares, below 0 when short, and their average price; None when not told."""

    quantity: Decimal
    average_price: Decimal | None = None


def compared(
    ours: Mapping[str, Held],
    theirs: Mapping[str, Held],
    *,
    cash: Decimal,
    their_cash: Decimal,
) -> list[Difference]:
    """The differences of positions and cash, in order of the symbol, cash last.

    Quantities agree exactly or not at all; cash agrees to the cent, to which brokers round it.

    Args:
        ours: Positions by symbol; a missing one is none.
        theirs: The broker's.
        cash: Our dollars.
        their_cash: The broker's.
    """
    found = []
    for symbol in sorted({*ours, *theirs}):
        mine, other = ours.get(symbol, Held(Decimal(0))), theirs.get(symbol, Held(Decimal(0)))
        if mine.quantity != other.quantity:
            found.append(
                Difference(
                    kind=DifferenceKind.POSITION,
                    subject=symbol,
                    ours=mine.quantity,
                    theirs=other.quantity,
                    price=other.average_price,
                )
            )
        elif _averages_differ(mine.average_price, other.average_price):
            found.append(
                Difference(
                    kind=DifferenceKind.AVERAGE_PRICE,
                    subject=symbol,
                    ours=mine.average_price or Decimal(0),
                    theirs=other.average_price or Decimal(0),
                )
            )
    if abs(cash - their_cash) > CENT:
        found.append(Difference(kind=DifferenceKind.CASH, subject="", ours=cash, theirs=their_cash))
    return found


def _averages_differ(ours: Decimal | None, theirs: Decimal | None) -> bool:
    if ours is None or theirs is None:
        return False
    return abs(ours - theirs) > AVERAGE_TOLERANCE * abs(ours)
