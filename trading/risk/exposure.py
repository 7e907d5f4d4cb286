"""What an account is exposed to at worst, should all orders on one side fill. Numbers in units."""

from __future__ import annotations

from typing import NamedTuple


class Exposure(NamedTuple):
    """One symbol's position and open orders.

    Attributes:
        position: Shares held, below 0 when short.
        buys: Shares that working orders could still buy.
        sells: Shares that they could still sell.
    """

    position: int = 0
    buys: int = 0
    sells: int = 0

    @property
    def worst(self) -> int:
        """Shares at worst: max(|q + open buys|, |q - open sells|)."""
        return max(abs(self.position + self.buys), abs(self.position - self.sells))

    def with_order(self, side: int, quantity: int) -> Exposure:
        """As it is with one more working order."""
        if side > 0:
            return Exposure(self.position, self.buys + quantity, self.sells)
        return Exposure(self.position, self.buys, self.sells + quantity)

    def reduces(self, side: int, quantity: int) -> bool:
        """Whether an order, with all that work on its side, can only make the position smaller."""
        if side > 0:
            return self.position < 0 and self.buys + quantity <= -self.position
        return self.position > 0 and self.sells + quantity <= self.position
