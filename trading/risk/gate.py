"""The gate that every order goes through, in a backtest as in live trading.

Cancels are never asked about: they always pass. Numbers are in units, money as money.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from trading.orders.fills import Costs
from trading.orders.model import Order, OrderType
from trading.risk.exposure import Exposure
from trading.risk.limits import Code, RiskLimits, TradingState
from trading.units import MONEY, to_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Opposite:
    """A working order of ours on the other side: its price in units, None at any price."""

    price: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What the gate knows when an order comes.

    Attributes:
        state: What the account may do.
        locked: Whether a guard bars entries in the order's symbol.
        reconciling: Whether our ledger and the broker do not agree yet.
        market_open: Whether the order can be sent now.
        seen: Whether an order of this name was made before.
        price: The symbol's last price; 0 when there is none.
        price_age: Its age in seconds.
        exposure: Of the symbol, before the order.
        gross: Of all symbols at worst, before the order, as money.
        equity: The account's equity, as money.
        costs: What fills cost.
        opposite: Working orders of ours in the symbol on the other side.
        recent_orders: Orders sent within the last minute.
    """

    state: TradingState
    price: int
    exposure: Exposure
    gross: int
    equity: int
    costs: Costs
    locked: bool = False
    reconciling: bool = False
    market_open: bool = True
    seen: bool = False
    price_age: float = 0.0
    opposite: tuple[Opposite, ...] = field(default=())
    recent_orders: int = 0


def denial(order: Order, now: Situation, limits: RiskLimits) -> Code | None:
    """Why the order may not be sent; None when it may.

    An order that can only make a position smaller passes while the account is reducing, and is
    held to no limit of size or number: an exit must not be refused for being large, nor for the
    entries that came before it. It counts against the number all the same.
    """
    quantity = to_units(order.quantity, "quantity")
    reduces = now.exposure.reduces(order.side, quantity)
    code = _closed(now, reduces=reduces) or _unpriced(order, now, limits)
    if code:
        return code
    if _would_wash(order, now):
        return Code.WASH
    if reduces:
        return None
    most = limits.max_orders_per_minute
    if most is not None and now.recent_orders >= most:
        return Code.RATE
    return _too_large(order, quantity, now, limits)


def _closed(now: Situation, *, reduces: bool) -> Code | None:
    if now.reconciling:
        return Code.RECONCILING
    if now.state is TradingState.HALTED:
        return Code.TRADING_HALTED
    if (now.locked or now.state is TradingState.REDUCING) and not reduces:
        return Code.REDUCING_WOULD_INCREASE
    if now.seen:
        return Code.DUPLICATE_SIGNAL
    return None if now.market_open else Code.MARKET_CLOSED


def _unpriced(order: Order, now: Situation, limits: RiskLimits) -> Code | None:
    if not now.price:
        return Code.NO_PRICE
    if limits.max_price_age is not None and now.price_age > limits.max_price_age:
        return Code.STALE_PRICE
    if limits.price_collar is not None and order.price is not None:
        distance = abs(to_units(order.price, "price") - now.price)
        if distance > Fraction(limits.price_collar) * now.price:
            return Code.PRICE_COLLAR
    return None


def _would_wash(order: Order, now: Situation) -> bool:
    """Whether an order of ours on the other side would take this one's price."""
    price = (
        to_units(order.price, "price") if order.type is OrderType.LIMIT and order.price else None
    )
    return any(
        price is None or other.price is None or order.side * (price - other.price) >= 0
        for other in now.opposite
    )


def _too_large(order: Order, quantity: int, now: Situation, limits: RiskLimits) -> Code | None:
    price = max(now.price, to_units(order.price, "price")) if order.price else now.price
    if limits.max_order is not None and quantity * price > limits.max_order * MONEY:
        return Code.MAX_ORDER
    before, after = now.exposure.worst, now.exposure.with_order(order.side, quantity).worst
    if after <= before:
        return None
    if _exceeds(after * price, limits.max_position, now.equity):
        return Code.MAX_POSITION
    more = after - before
    if _exceeds(now.gross + more * price, limits.max_gross, now.equity):
        return Code.MAX_GROSS
    paid = now.costs.slipped(price, order.side, order.type)
    costs = quantity * abs(paid - price) + now.costs.fee(quantity, paid)
    needed = more * price + costs
    if _exceeds(now.gross + needed, limits.buying_power, now.equity):
        return Code.BUYING_POWER
    return None


def _exceeds(exposure: int, limit: Decimal | None, equity: int) -> bool:
    return limit is not None and exposure > Fraction(limit) * equity
