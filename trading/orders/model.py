"""An order: what is asked for, and the name under which it is asked for only once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum, StrEnum

from trading.errors import ParameterError


class Side(IntEnum):
    """Buy or sell, as the sign of the fills."""

    BUY = 1
    SELL = -1


class OrderType(StrEnum):
    """When an order fills: at once, at a price or better, or from a price on."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"


class TimeInForce(StrEnum):
    """How long an order works: until the session's close, or until cancelled."""

    DAY = "day"
    GTC = "gtc"


class Leg(StrEnum):
    """An order's part in what a signal asks for."""

    ENTRY = "entry"
    STOP_LOSS = "stop_loss"
    TAKE_PROFIT = "take_profit"
    CLOSE = "close"
    """The end of a position when trading halts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order as it is sent.

    Attributes:
        client_order_id: Its name, see `client_order_id`.
        symbol: The instrument's symbol.
        side: Buy or sell.
        quantity: Shares, above 0, a multiple of the instrument's increment.
        type: Market, limit or stop.
        price: The limit or stop price in dollars; None for a market order.
        time_in_force: How long it works.
        stop_loss: Stop price of the exit that its fills bring along; None for no such exit.
        take_profit: Limit price of the exit that its fills bring along.
        reduce_only: It only ever makes a position smaller; what exceeds that is cancelled.
        leg: Its part in what the signal asks for.
        strategy: Whose signal it comes from.
        decision_price: The price in dollars that the decision was taken at; None when there is
            none.
    """

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    type: OrderType = OrderType.MARKET
    price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    reduce_only: bool = False
    leg: Leg = Leg.ENTRY
    strategy: str = ""
    decision_price: Decimal | None = None

    def __post_init__(self) -> None:
        if not self.quantity > 0:
            raise ParameterError(
                "quantity", str(self.quantity), "above 0", "make no order when there is none to do"
            )
        if (self.price is None) != (self.type is OrderType.MARKET):
            raise ParameterError(
                "price",
                self.price,
                "a price for a limit or stop order and None for a market order",
                f"pass what a {self.type.value} order takes",
            )
        if self.stop_loss or self.take_profit:
            self._check_exits()

    def _check_exits(self) -> None:
        low, high = self.stop_loss, self.take_profit
        if self.side is Side.SELL:
            low, high = high, low
        entry = self.price
        below = low is None or entry is None or low < entry
        above = high is None or entry is None or high > entry
        if not (below and above and (low is None or high is None or low < high)):
            raise ParameterError(
                "stop_loss",
                str(self.stop_loss),
                "on the losing side of the entry, and take_profit on the other",
                "exchange the two prices",
            )


def client_order_id(
    *, strategy: str, fingerprint: str, symbol: str, bar: str, side: Side, leg: Leg
) -> str:
    """The name of an order, by which a broker refuses to take it twice: 40 characters.

    Args:
        strategy: The strategy's name.
        fingerprint: Of its parameters.
        symbol: The instrument's symbol.
        bar: The bar's start, ISO 8601 in UTC.
        side: Buy or sell.
        leg: Its part in what the signal asks for.
    """
    parts = json.dumps([strategy, fingerprint, symbol, bar, int(side), leg.value])
    return hashlib.sha256(parts.encode()).hexdigest()[:40]
