"""The account's state as its equity moves: drawdown halts, a day's loss lets only reductions pass.

The drawdown is that of the net asset value per unit, so that what is paid in or out is neither
gain nor loss: a deposit scales the peak as it scales the equity. Money as in `trading.units`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from trading.risk.limits import RiskLimits, TradingState


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskState:
    """What the watch remembers; the next state follows from it and the next equity.

    Attributes:
        state: What the account may do.
        reason: Why, in words; empty while it is active.
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


def paid_in(before: RiskState, money: int) -> RiskState:
    """The state after a deposit (below 0: a withdrawal)."""
    after = before.equity + money
    if before.equity <= 0:
        return replace(before, peak=after, equity=after, day_start=after)
    peak = Fraction(before.peak) * after / before.equity
    return replace(before, peak=peak, equity=after, day_start=before.day_start + money)


def watched(before: RiskState, equity: int, session: int, limits: RiskLimits) -> RiskState:
    """The state after the equity was seen in a session."""
    state, reason, day_start = before.state, before.reason, before.day_start
    if session != before.session:
        day_start = before.equity
        if state is TradingState.REDUCING:
            state, reason = TradingState.ACTIVE, ""
    peak = max(before.peak, equity)
    if state is not TradingState.HALTED:
        if _fallen(equity, peak, limits):
            state, reason = TradingState.HALTED, f"drawdown of {limits.max_drawdown} or more"
        elif state is TradingState.ACTIVE and _lost(equity, day_start, limits):
            state, reason = TradingState.REDUCING, f"loss of {limits.max_daily_loss} in a day"
    return RiskState(
        state=state, reason=reason, peak=peak, equity=equity, day_start=day_start, session=session
    )


def resumed(before: RiskState) -> RiskState:
    """The state after a person resumed trading; the drawdown counts from here."""
    return replace(before, state=TradingState.ACTIVE, reason="", peak=before.equity)


def _fallen(equity: int, peak: Fraction | int, limits: RiskLimits) -> bool:
    """Whether the drawdown is at its limit; an account without equity always is."""
    if equity <= 0:
        return True
    return limits.max_drawdown is not None and peak - equity >= Fraction(limits.max_drawdown) * peak


def _lost(equity: int, day_start: int, limits: RiskLimits) -> bool:
    return (
        limits.max_daily_loss is not None
        and day_start - equity >= Fraction(limits.max_daily_loss) * day_start
    )
