"""An instrument: what is traded, on which calendar, in which steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from trading.instruments.calendar import EXCHANGE


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """What is known of a traded instrument.

    Attributes:
        symbol: Its symbol today, e.g. `AAPL`.
        name: What it is called, e.g. `Apple Inc.`.
        kind: `stock`, `etf` or `index`; empty when unknown.
        exchange: Where it is listed, e.g. `XNAS`; empty when unknown.
        sector: Its sector; empty when unknown.
        calendar: The exchange calendar of its sessions, as `exchange_calendars` names it.
        increment: Smallest step of a quantity; quantities are floored to it.
        listed: First day of trading; None when unknown.
        delisted: Last day of trading; None while it trades.
        identifier: What its source calls it for good, e.g. a FIGI, whatever its symbol; empty when
            unknown.
    """

    symbol: str
    name: str = ""
    kind: str = "stock"
    exchange: str = ""
    sector: str = ""
    calendar: str = EXCHANGE
    increment: Decimal = Decimal(1)
    listed: date | None = None
    delisted: date | None = None
    identifier: str = ""
