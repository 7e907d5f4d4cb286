"""From signals to orders: an order is made when the target changes, and only then."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from trading.arrays import Floats
from trading.backtest.assumptions import Assumptions
from trading.backtest.market import Market
from trading.backtest.source import CancelAll, Desk, Request
from trading.errors import DataError
from trading.orders.model import Leg, Order, Side, client_order_id
from trading.strategies.protocol import BUY, SELL, Signals
from trading.units import floored, from_units


def targets(signals: Signals, *, allow_short: bool) -> Floats:
    """The wanted position after each bar, a share of the allocation; NaN keeps the one before.

    Args:
        signals: What the strategy says: its targets, or buy +1 and sell 0 or, where shorts are
            allowed, -1.
        allow_short: Whether a target may be below 0; otherwise it is 0.

    Raises:
        DataError: A target of the strategy's is outside -1 to 1.
    """
    if signals.target is None:
        wanted = np.full(len(signals.signal), np.nan)
        wanted[signals.signal == BUY] = 1.0
        wanted[signals.signal == SELL] = -1.0
    else:
        wanted = signals.target.astype(np.float64)
        outside = wanted[np.abs(wanted) > 1.0]
        if len(outside):
            raise DataError(
                "target", f"the strategy wants {outside[0]}", "return targets between -1 and 1"
            )
    return wanted if allow_short else np.maximum(wanted, 0.0)


def _changes(wanted: Floats) -> tuple[Floats, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    """Each row's target with what is kept filled in (0 at first), and where it is a new one."""
    known = ~np.isnan(wanted)
    latest = np.maximum.accumulate(np.where(known, np.arange(len(wanted)), -1))
    held: Floats = np.where(latest >= 0, wanted[np.maximum(latest, 0)], 0.0)
    return held, np.diff(held, prepend=0.0) != 0.0


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


class TargetOrders:
    """The orders that a strategy's signals make, as a source of the engine's."""

    def __init__(
        self,
        market: Market,
        signals: Sequence[Signals],
        assumptions: Assumptions,
        *,
        strategy: str = "",
        fingerprint: str = "",
    ) -> None:
        """Compute when which target changes; the orders come bar by bar.

        Args:
            market: The market.
            signals: Of each of its symbols, as long as its bars.
            assumptions: What is assumed.
            strategy: The strategy's name, for the orders.
            fingerprint: Of its parameters, for the orders' names.
        """
        self._market = market
        self._assumptions = assumptions
        self._names = strategy, fingerprint
        self._allocation = Fraction(assumptions.allocation or Fraction(1, len(market.symbols)))
        self._at: dict[int, list[tuple[int, float]]] = {}
        short = assumptions.allow_short
        for column, own in enumerate(signals):
            held, changed = _changes(targets(own, allow_short=short))
            if assumptions.rebalance:
                changed = np.full(len(held), fill_value=True)
            rows, kept = market.rows[column][changed].tolist(), held[changed].tolist()
            for row, target in zip(rows, kept, strict=True):
                self._at.setdefault(row, []).append((column, target))

    def rows(self) -> set[int]:
        """Where a target changes; every bar when positions are rebalanced."""
        return set(self._at)

    def requests(self, row: int, desk: Desk) -> Iterator[Request]:
        """What to do for each symbol whose target changes at the row."""
        for column, target in self._at[row]:
            yield from self._order(row, column, target, desk)

    def _order(self, row: int, column: int, target: float, desk: Desk) -> Iterator[Request]:
        symbol = self._market.symbols[column]
        position, price = desk.position(symbol), desk.price(symbol)
        if desk.has_orders(symbol):
            yield CancelAll(symbol)
        increment = self._market.increments[column]
        wanted = 0
        if target and price:
            wanted = target_quantity(desk.equity, target, self._allocation, price, increment)
        if wanted * position < 0 and desk.only_reduces(symbol):
            wanted = 0
        delta = wanted - position
        delta = floored(delta, increment)
        if not delta:
            return
        side = Side.BUY if delta > 0 else Side.SELL
        strategy, fingerprint = self._names
        start = str(int(self._market.clock.starts[row]))
        yield Order(
            client_order_id=client_order_id(
                strategy=strategy,
                fingerprint=fingerprint,
                symbol=symbol,
                bar=start,
                side=side,
                leg=Leg.ENTRY,
            ),
            symbol=symbol,
            side=side,
            quantity=from_units(abs(delta)),
            time_in_force=self._assumptions.time_in_force,
            strategy=strategy,
            decision_price=from_units(price) if price else None,
        )
