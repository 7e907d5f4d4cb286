"""An order as the ledger keeps it from before it is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trading.orders.model import Order

ADOPTED = "adopted"
"""The strategy of orders that were found at the broker and were not ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An order, and what it was made of.

    Attributes:
        account: The account's name.
        order: The order.
        fingerprint: Of the strategy's version and parameters.
        interval: Of the bar, e.g. `5m`.
        bar: The start of the bar it was decided on, nanoseconds since 1970 in UTC; it fills in
            later bars alone.
        created_at: When it was made.
    """

    account: str
    order: Order
    fingerprint: str = ""
    interval: str = ""
    bar: int
    created_at: datetime
