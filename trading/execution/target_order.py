"""The order that a target asks for, in a backtest as in live trading. Numbers in units."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from trading.orders.model import Leg, Order, Side, TimeInForce, client_order_id
from trading.units import floored, from_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is wanted of one symbol at a bar's close.

    Attributes:
        strategy: Whose target it is.
        fingerprint: Of its version and parameters.
        symbol: The instrument's symbol.
        bar: The bar's start, nanoseconds since 1970 in UTC.
        target: Share of the allocation, -1 to 1.
        price: The close; 0 when there is none.
        allocation: Share of the equity.
        increment: Smallest step of a quantity.
        time_in_force: How long the order works.
    """

    strategy: str
    fingerprint: str
    symbol: str
    bar: int
    target: float
    price: int
    allocation: Fraction
    increment: int
    time_in_force: TimeInForce = TimeInForce.DAY


def target_quantity(
    equity: int, target: float, allocation: Fraction, price: int, increment: int
) -> int:
    """Shares of a target, floored towards zero: target * allocation * equity / price.

    Args:
        equity: As money; without any there is no position.
        target: Share of the allocation, -1 to 1.
        allocation: Share of the equity.
        price: In units, above 0.
        increment: Smallest step, in units.
    """
    if equity <= 0:
        return 0
    numerator, denominator = abs(target).as_integer_ratio()
    shares = equity * numerator * allocation.numerator
    size = floored(shares // (denominator * allocation.denominator * price), increment)
    return size if target >= 0 else -size


def target_order(wanted: Wanted, *, equity: int, position: int, only_reduces: bool) -> Order | None:
    """The order that brings a position to a target; None when it is there.

    Args:
        wanted: What is wanted.
        equity: The account's equity, as money.
        position: Shares held, below 0 when short.
        only_reduces: Whether only what makes the position smaller would pass the risk gate.
    """
    shares = 0
    if wanted.target and wanted.price:
        shares = target_quantity(
            equity, wanted.target, wanted.allocation, wanted.price, wanted.increment
        )
    if shares * position < 0 and only_reduces:
        shares = 0
    delta = floored(shares - position, wanted.increment)
    if not delta:
        return None
    side = Side.BUY if delta > 0 else Side.SELL
    return Order(
        client_order_id=client_order_id(
            strategy=wanted.strategy,
            fingerprint=wanted.fingerprint,
            symbol=wanted.symbol,
            bar=str(wanted.bar),
            side=side,
            leg=Leg.ENTRY,
        ),
        symbol=wanted.symbol,
        side=side,
        quantity=from_units(abs(delta)),
        time_in_force=wanted.time_in_force,
        strategy=wanted.strategy,
        decision_price=from_units(wanted.price) if wanted.price else None,
    )
