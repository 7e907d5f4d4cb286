"""How an account stands at its last prices, in dollars, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.portfolio.account import Account
from trading.units import from_units, to_dollars


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionStanding:
    """One open position.

    Attributes:
        symbol: The instrument's symbol.
        quantity: Shares, below 0 when short.
        average_price: What a share cost on average.
        last_price: What it is worth.
        value: What all are worth.
        unrealized: What they would earn.
        realized: What closed shares of the symbol earned before fees, dividends included.
        fees: All fees of the symbol.
    """

    symbol: str
    quantity: Decimal
    average_price: Decimal
    last_price: Decimal
    value: Decimal
    unrealized: Decimal
    realized: Decimal
    fees: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An account; equity - deposits = realized + unrealized - fees.

    Attributes:
        equity: Cash and positions.
        cash: What is there to spend.
        deposits: What was paid in, less what was paid out.
        realized: What closed shares earned before fees, dividends included.
        unrealized: What open shares would earn.
        fees: All fees.
        gross: The worth of all positions, long and short alike.
        net: Longs less shorts.
        positions: Those that are open, in order of the symbol.
        round_trips: Positions that ended.
        wins: Those of them that earned something after fees.
    """

    equity: Decimal
    cash: Decimal
    deposits: Decimal
    realized: Decimal
    unrealized: Decimal
    fees: Decimal
    gross: Decimal
    net: Decimal
    positions: tuple[PositionStanding, ...]
    round_trips: int
    wins: int


def standing(account: Account) -> Standing:
    """How an account stands at its marks."""
    held = [account.open[symbol] for symbol in sorted(account.open)]
    positions = tuple(
        PositionStanding(
            symbol=holding.symbol,
            quantity=from_units(holding.quantity),
            average_price=holding.average_price or Decimal(0),
            last_price=from_units(holding.mark),
            value=to_dollars(holding.value),
            unrealized=to_dollars(holding.unrealized),
            realized=to_dollars(holding.realized),
            fees=to_dollars(holding.fees),
        )
        for holding in held
    )
    return Standing(
        equity=to_dollars(account.equity),
        cash=to_dollars(account.cash),
        deposits=to_dollars(account.deposits),
        realized=to_dollars(account.realized),
        unrealized=to_dollars(account.unrealized),
        fees=to_dollars(account.fees),
        gross=sum((abs(position.value) for position in positions), Decimal(0)),
        net=sum((position.value for position in positions), Decimal(0)),
        positions=positions,
        round_trips=len(account.trips),
        wins=sum(trip.pnl > 0 for trip in account.trips),
    )
