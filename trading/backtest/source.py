"""Where the engine's orders come from, and what a source sees of the account."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from trading.orders.model import Order


@dataclass(frozen=True, slots=True)
class CancelAll:
    """End all working orders of a symbol."""

    symbol: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """End one working order of a symbol."""

    symbol: str
    client_order_id: str


Request = Order | Cancel | CancelAll


class Desk(Protocol):
    """The account as of the close of the bar; numbers in units, equity as money."""

    @property
    def equity(self) -> int:
        """Cash and positions at the last closes."""

    def position(self, symbol: str) -> int:
        """Shares held, below 0 when short."""

    def price(self, symbol: str) -> int:
        """The close of the symbol's bar of this row; 0 when it has none."""

    def has_orders(self, symbol: str) -> bool:
        """Whether orders of the symbol work."""

    def only_reduces(self, symbol: str) -> bool:
        """Whether only what makes the position smaller would pass."""


class OrderSource(Protocol):
    """What asks for orders, bar by bar; it sees nothing after the bar's close."""

    def rows(self) -> set[int]:
        """The rows at which it has anything to ask."""

    def requests(self, row: int, desk: Desk) -> Iterable[Request]:
        """What it asks at the close of a row; each is done before the next is taken."""
