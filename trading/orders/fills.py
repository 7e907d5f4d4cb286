"""At what price a bar fills an order, and what that costs. All numbers in units.

Binding for backtests and the paper broker alike: nothing fills in the bar it was decided on, a
limit fills at its price or better, a stop at its price or worse.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from trading.orders.model import OrderType, Side
from trading.units import CENT, UNIT, divided, floored

BASIS_POINTS = 10_000
_LIMIT, _STOP = OrderType.LIMIT, OrderType.STOP


def touched(  # noqa: PLR0917 - called for every order of every bar
    kind: OrderType, side: int, price: int, opened: int, high: int, low: int
) -> int | None:
    """The price before slippage at which a bar fills an order; None when it does not.

    Market: the open. Limit buy: when low <= limit, at min(open, limit). Stop buy: when
    high >= stop, at max(open, stop). Sells mirror.

    Args:
        kind: The order's type.
        side: 1 to buy, -1 to sell.
        price: Its limit or stop price; not looked at for a market order.
        opened: The bar's open, or the price since which the order works within the bar.
        high: The bar's high.
        low: The bar's low.
    """
    if kind is _LIMIT:
        if side > 0:
            return min(opened, price) if low <= price else None
        return max(opened, price) if high >= price else None
    if kind is _STOP:
        if side > 0:
            return max(opened, price) if high >= price else None
        return min(opened, price) if low <= price else None
    return opened


@dataclass(frozen=True, slots=True)
class Costs:
    """What trading costs and how much of a bar's volume it may take, as exact ratios.

    Attributes:
        fee_ratio: Fee per dollar traded, numerator and denominator.
        per_share: Fee per share in units of a dollar.
        slippage_ratio: Share of the price lost on a market or stop order.
        participation: Share of a bar's volume that all orders of a symbol may take; None for all
            they want.
    """

    fee_ratio: tuple[int, int]
    per_share: int
    slippage_ratio: tuple[int, int]
    participation: tuple[int, int] | None

    @classmethod
    def of(
        cls,
        *,
        fees_bps: Decimal = Decimal(0),
        fee_per_share: Decimal = Decimal(0),
        slippage_bps: Decimal = Decimal(0),
        participation: Decimal | None = None,
    ) -> Costs:
        """The costs of these basis points, dollars per share and share of the volume."""
        return cls(
            Fraction(fees_bps / BASIS_POINTS).as_integer_ratio(),
            int(fee_per_share * UNIT),
            Fraction(slippage_bps / BASIS_POINTS).as_integer_ratio(),
            None if participation is None else Fraction(participation).as_integer_ratio(),
        )

    def slipped(self, price: int, side: Side | int, kind: OrderType) -> int:
        """The price after slippage: worse by its share, rounded to a unit away from us."""
        if kind is _LIMIT:
            return price
        numerator, denominator = self.slippage_ratio
        return price - side * (-price * numerator // denominator)

    def fee(self, quantity: int, price: int) -> int:
        """The fee of one fill as money, rounded half up to the cent."""
        numerator, denominator = self.fee_ratio
        exact = quantity * price * numerator + quantity * self.per_share * denominator
        return divided(exact, denominator * CENT) * CENT

    def available(self, volume: int, increment: int) -> int | None:
        """How much of a bar's volume orders may take, floored; None when all they want."""
        if self.participation is None:
            return None
        numerator, denominator = self.participation
        return floored(volume * numerator // denominator, increment)
