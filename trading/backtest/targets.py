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
from trading.execution.target_order import Wanted, target_order
from trading.strategies.protocol import BUY, SELL, Signals


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
        strategy, fingerprint = self._names
        wanted = Wanted(
            strategy=strategy,
            fingerprint=fingerprint,
            symbol=symbol,
            bar=int(self._market.clock.starts[row]),
            target=target,
            price=price,
            allocation=self._allocation,
            increment=self._market.increments[column],
            time_in_force=self._assumptions.time_in_force,
        )
        order = target_order(
            wanted,
            equity=desk.equity,
            position=position,
            only_reduces=desk.only_reduces(symbol),
        )
        if order is not None:
            yield order
