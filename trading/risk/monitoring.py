"""What an account risks, beside its limits: exposure, concentration, drawdown, correlation, VaR."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations

import numpy as np

from trading.arrays import Floats
from trading.portfolio.standing import Standing
from trading.risk.limits import RiskLimits
from trading.risk.watch import RiskState
from trading.units import to_money

FEWEST_DAYS = 20
"""Below so many daily returns neither a correlation nor a value at risk says anything."""

TAIL = 0.05
"""The share of days that lose more than the value at risk."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that is reached.

    Attributes:
        measure: What is limited.
        value: How much there is of it, a share of equity.
        limit: What it is held to.
    """

    measure: str
    value: float
    limit: float

    def __str__(self) -> str:
        return f"{self.measure} {self.value:.2%} has reached its limit of {self.limit:.2%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskReport:
    """What an account risks; ratios are shares of equity.

    Attributes:
        gross: Worth of all positions, long and short alike.
        net: Longs less shorts.
        largest_symbol: The largest position's symbol; empty without one.
        largest: Its worth.
        concentration: Herfindahl's index of the positions' worth, 1 for a single one; 0 without.
        drawdown: Fall of the net asset value per unit from its peak.
        daily_loss: Loss since the last session's close; below 0 when it gained.
        correlation: Highest correlation of two positions' daily returns, the sign of the second
            turned where the two are held on different sides; None when it cannot be told.
        value_at_risk: What one day in twenty loses more than, by the last daily returns of today's
            positions, in dollars; None when it cannot be told.
        breaches: The limits that are reached.
    """

    gross: float
    net: float
    largest_symbol: str
    largest: float
    concentration: float
    drawdown: float
    daily_loss: float
    correlation: float | None
    value_at_risk: float | None
    breaches: tuple[Breach, ...]


def risk_report(
    now: Standing, memory: RiskState, limits: RiskLimits, returns: Mapping[str, Floats]
) -> RiskReport:
    """What an account risks.

    Args:
        now: How it stands.
        memory: What the watch remembers.
        limits: What it is held to.
        returns: Daily returns of the positions' symbols on the same days, fractions, NaN where
            missing, shape (d,).
    """
    equity = float(now.equity)
    held = now.positions if equity > 0 else ()
    shares = {position.symbol: float(position.value / now.equity) for position in held}
    largest = max(shares, key=lambda symbol: abs(shares[symbol]), default="")
    gross = sum(map(abs, shares.values()))
    money = to_money(round(now.equity, 9))
    found = RiskReport(
        gross=gross,
        net=sum(shares.values()),
        largest_symbol=largest,
        largest=abs(shares[largest]) if largest else 0.0,
        concentration=sum((share / gross) ** 2 for share in shares.values()) if gross else 0.0,
        drawdown=_fall(memory.peak, money),
        daily_loss=_fall(memory.day_start, money),
        correlation=_highest_correlation(shares, returns),
        value_at_risk=_value_at_risk(shares, returns, equity),
        breaches=(),
    )
    return _with_breaches(found, limits)


def _fall(start: Fraction | int, now: int) -> float:
    """Exact before it is rounded: a fall of just the limit is one of the limit."""
    return float(Fraction(start - now) / start) if start > 0 else 0.0


def _highest_correlation(
    shares: Mapping[str, float], returns: Mapping[str, Floats]
) -> float | None:
    found = []
    for one, other in combinations(sorted(shares), 2):
        if one not in returns or other not in returns:
            continue
        x, y = returns[one], returns[other]
        both = ~(np.isnan(x) | np.isnan(y))
        if both.sum() < FEWEST_DAYS or not (x[both].std() > 0 and y[both].std() > 0):
            continue
        side = np.sign(shares[one] * shares[other])
        found.append(float(side * np.corrcoef(x[both], y[both])[0, 1]))
    return max(found, default=None)


def _value_at_risk(
    shares: Mapping[str, float], returns: Mapping[str, Floats], equity: float
) -> float | None:
    """By historical simulation: today's positions through the days that all of them have."""
    if not shares or any(symbol not in returns for symbol in shares):
        return None
    table = np.stack([returns[symbol] for symbol in shares])
    days = table[:, ~np.isnan(table).any(axis=0)]
    if days.shape[1] < FEWEST_DAYS:
        return None
    earned = np.array(list(shares.values())) @ days * equity
    return max(0.0, -float(np.quantile(earned, TAIL)))


def _with_breaches(found: RiskReport, limits: RiskLimits) -> RiskReport:
    measured = (
        ("drawdown", found.drawdown, limits.max_drawdown),
        ("daily loss", found.daily_loss, limits.max_daily_loss),
        ("gross exposure", found.gross, limits.max_gross),
        (f"exposure in {found.largest_symbol}", found.largest, limits.max_position),
    )
    breaches = tuple(
        Breach(name, value, float(limit))
        for name, value, limit in measured
        if limit is not None and value >= float(limit)
    )
    return replace(found, breaches=breaches)
