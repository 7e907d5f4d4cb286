"""What travels between processes, small and typed: one type for each stream.

Every event has a version, which grows when a field changes its meaning, and an identity, by which
a consumer knows one that it has seen. Times are nanoseconds since 1970 in UTC.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class Stream(StrEnum):
    """The streams of the bus."""

    TICKS = "ticks"
    BARS = "bars"
    SIGNALS = "signals"
    ORDERS = "orders"
    ALERTS = "alerts"
    NEWS = "news"


CLOCK = ""
"""The symbol of a tick that tells the time and nothing else."""


class WholeMinute(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a source says of a minute as a whole.

    Attributes:
        open: First price in dollars.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Shares.
        vwap: Volume-weighted price; None when the source does not say.
        trades: Number of trades; None when the source does not say.
    """

    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None = None
    trades: float | None = None


class Tick(msgspec.Struct, frozen=True, tag="tick", array_like=True, gc=False):
    """One trade, one minute that a source tells as a whole, or the time.

    The time, of which `symbol` is `CLOCK`, says that the source has told all that it knows up to
    `ts`; bars close by it, also when nothing is traded.

    Attributes:
        symbol: The instrument's symbol, or `CLOCK`.
        ts: When it was traded; the start of a whole minute; the time itself.
        price: In dollars; that of a whole minute is its last; 0 for the time.
        size: Shares; those of the whole minute; 0 for the time.
        number: The source's own number of it, unique per symbol and session. Of two tellings of
            the same minute the one with the higher number counts.
        version: Of this type.
        minute: The whole minute; None for a trade and for the time.
    """

    symbol: str
    ts: int
    price: float
    size: float
    number: int
    version: int = 1
    minute: WholeMinute | None = None

    @property
    def identity(self) -> str:
        """The symbol, the moment and the source's number."""
        return f"{self.symbol}:{self.ts}:{self.number}"


class BarClosed(msgspec.Struct, frozen=True, tag="bar"):
    """A bar whose window has closed, or its correction by a late tick.

    Attributes:
        symbol: The instrument's symbol.
        interval: E.g. `5m`.
        ts: The bar's start.
        open: First price in dollars.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Shares.
        available_at: When it could first be acted on.
        trades: Ticks in it; None when the source does not say.
        vwap: Volume-weighted price; None when there is no volume.
        revision: 0, and one more with each correction.
        version: Of this type.
    """

    symbol: str
    interval: str
    ts: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    available_at: int
    trades: int | None = None
    vwap: float | None = None
    revision: int = 0
    version: int = 1

    @property
    def identity(self) -> str:
        """The bar and its revision."""
        return f"{self.symbol}:{self.interval}:{self.ts}:{self.revision}"


class SignalMade(msgspec.Struct, frozen=True, tag="signal"):
    """What a strategy says at a bar's close.

    Attributes:
        strategy: Its name.
        fingerprint: Of its version and parameters.
        symbol: The instrument's symbol.
        interval: Of the bar.
        ts: The bar's start.
        signal: `buy`, `hold` or `sell`.
        close: The bar's close in dollars.
        available_at: When it could first be acted on.
        target: The position wanted, from -1 to 1; None when the signal alone decides.
        values: Indicators by name, for people and alert rules.
        revision: That of the bar.
        version: Of this type.
    """

    strategy: str
    fingerprint: str
    symbol: str
    interval: str
    ts: int
    signal: Literal["buy", "hold", "sell"]
    close: float
    available_at: int
    target: float | None = None
    values: dict[str, float | None] = {}
    revision: int = 0
    version: int = 1

    @property
    def identity(self) -> str:
        """The strategy, the bar and its revision."""
        return (
            f"{self.strategy}:{self.fingerprint}:{self.symbol}:{self.interval}:{self.ts}"
            f":{self.revision}"
        )


class OrderChanged(msgspec.Struct, frozen=True, tag="order"):
    """A step in an order's life, told after the ledger has it.

    Attributes:
        account: The account's name.
        client_order_id: The order's name.
        symbol: The instrument's symbol.
        side: `buy` or `sell`.
        quantity: Shares asked for, as text that reads back exactly.
        state: What it is now, see `trading.orders.states`.
        filled_quantity: Shares filled so far.
        at: When.
        price: Of the last fill; None when this step is none.
        code: Why it was denied; None when it was not.
        identity: What makes a repeated message the same message.
        version: Of this type.
    """

    account: str
    client_order_id: str
    symbol: str
    side: Literal["buy", "sell"]
    quantity: str
    state: str
    filled_quantity: str
    at: int
    identity: str
    price: str | None = None
    code: str | None = None
    version: int = 1


class AlertChanged(msgspec.Struct, frozen=True, tag="alert"):
    """A rule began to fire, still does, or ended.

    Attributes:
        rule: Its name.
        subject: What of, e.g. a symbol.
        kind: Which of the three.
        severity: How much it matters.
        message: One sentence.
        at: When.
        identity: What makes a repeated message the same message.
        version: Of this type.
    """

    rule: str
    subject: str
    kind: Literal["firing", "reminder", "resolved"]
    severity: Literal["info", "warning", "critical"]
    message: str
    at: int
    identity: str
    version: int = 1


class ArticleSeen(msgspec.Struct, frozen=True, tag="article"):
    """News of a company, scored.

    Attributes:
        id: Of the canonical URL.
        symbols: Whom it is about.
        title: Its headline.
        url: Where it is.
        sentiment: From -1 to 1.
        usable_from: When it could first be acted on.
        version: Of this type.
    """

    id: str
    symbols: tuple[str, ...]
    title: str
    url: str
    sentiment: float
    usable_from: int
    version: int = 1

    @property
    def identity(self) -> str:
        """The article's."""
        return self.id


Event = Tick | BarClosed | SignalMade | OrderChanged | AlertChanged | ArticleSeen
"""Any of them."""

EVENT_OF: dict[Stream, type[Event]] = {
    Stream.TICKS: Tick,
    Stream.BARS: BarClosed,
    Stream.SIGNALS: SignalMade,
    Stream.ORDERS: OrderChanged,
    Stream.ALERTS: AlertChanged,
    Stream.NEWS: ArticleSeen,
}
"""What each stream carries."""
