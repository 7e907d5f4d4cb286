"""The account's state as its equity moves: drawdown halts, a day's loss lets only reductions pass.

The drawdown is that of the net asset value per unit, so that what is paid in or out is neither
gain nor loss: a deposit scales the peak as it scales the equity. Money as in `trading.units`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from trading.risk.limits import RiskLimits, TradingState

Ratio = tuple[int, int]


class RiskState(NamedTuple):
    """What the watch remembers; the next state follows from it and the next equity.

    Attributes:
        state: What the account may do.
        reason: Why: `drawdown` or `daily loss`; empty while it is active.
        peak: The highest equity so far, brought to today's deposits.
        equity: The last one seen.
        day_start: Equity at the last session's close, brought to today's deposits.
        session: The session of `equity`, any number that grows.
    """

    state: TradingState = TradingState.ACTIVE
    reason: str = ""
    peak: Fraction | int = 0
    equity: int = 0
    day_start: int = 0
    session: int = -1


class Thresholds(NamedTuple):
    """The falls at which the state changes, as exact ratios; None for none."""

    drawdown: Ratio | None
    daily_loss: Ratio | None

    @classmethod
    def of(cls, limits: RiskLimits) -> Thresholds:
        """Those of some limits."""
        return cls(
            None if limits.max_drawdown is None else limits.max_drawdown.as_integer_ratio(),
            None if limits.max_daily_loss is None else limits.max_daily_loss.as_integer_ratio(),
        )

    def quiet_above(self, state: RiskState) -> int:
        """The equity above which nothing happens but a new peak, until the session changes."""
        falls = ((state.peak, self.drawdown), (state.day_start, self.daily_loss))
        levels = (
            start * (denominator - numerator) // denominator
            for start, (numerator, denominator) in ((s, r) for s, r in falls if r is not None)
        )
        return max((0, *levels))


def paid_in(before: RiskState, money: int) -> RiskState:
    """The state after a deposit (below 0: a withdrawal)."""
    after = before.equity + money
    if before.equity <= 0:
        return before._replace(peak=after, equity=after, day_start=after)
    peak = Fraction(before.peak) * after / before.equity
    day_start = before.day_start + money
    return before._replace(peak=peak, equity=after, day_start=day_start)


def watched(before: RiskState, equity: int, session: int, thresholds: Thresholds) -> RiskState:
    """The state after the equity was seen in a session; a fall to a threshold counts."""
    state, reason, peak, last, day_start, day = before
    if session != day:
        day_start = last
        if state is TradingState.REDUCING:
            state, reason = TradingState.ACTIVE, ""
    peak = max(peak, equity)
    if state is not TradingState.HALTED:
        if equity <= 0 or _has_fallen(peak, equity, thresholds.drawdown):
            state, reason = TradingState.HALTED, "drawdown"
        elif state is TradingState.ACTIVE and _has_fallen(day_start, equity, thresholds.daily_loss):
            state, reason = TradingState.REDUCING, "daily loss"
    return RiskState(state, reason, peak, equity, day_start, session)


def resumed(before: RiskState) -> RiskState:
    """The state after a person resumed trading; the drawdown counts from here."""
    return before._replace(state=TradingState.ACTIVE, reason="", peak=before.equity)


def _has_fallen(start: Fraction | int, equity: int, ratio: Ratio | None) -> bool:
    return ratio is not None and start > 0 and (start - equity) * ratio[1] >= ratio[0] * start
