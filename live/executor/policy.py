"""What one executor trades, and by which rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

from trading.bars.intervals import Interval
from trading.execution.hours import bar_length
from trading.orders.fills import Costs
from trading.orders.model import TimeInForce
from trading.risk.guards import Guard
from trading.risk.limits import RiskLimits
from trading.units import UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What one executor trades, and by which rules.

    Attributes:
        account: The account's name.
        strategy: Whose signals it follows; others are none of its business.
        fingerprint: Of the version and parameters; None for whichever comes.
        interval: Of the bars and signals.
        symbols: What it trades.
        costs: What fills cost: what the gate reserves, and what the paper broker charges.
        limits: What the gate holds orders to.
        guards: When nothing may be entered for a while.
        allow_short: Whether a sell signal goes short.
        allocation: Share of equity that a target of 1 takes; None for one over the symbols.
        increments: Smallest step of a quantity by symbol; 1 where none is named.
        capital: Dollars that a paper account begins with.
        time_in_force: How long an order works.
        reconcile_every: How long the books go uncompared.
    """

    account: str
    strategy: str
    interval: Interval
    symbols: tuple[str, ...]
    costs: Costs
    fingerprint: str | None = None
    limits: RiskLimits = field(default_factory=RiskLimits)
    guards: tuple[Guard, ...] = ()
    allow_short: bool = False
    allocation: Decimal | None = None
    increments: Mapping[str, Decimal] = field(default_factory=dict)
    capital: Decimal = Decimal(100_000)
    time_in_force: TimeInForce = TimeInForce.DAY
    reconcile_every: timedelta = timedelta(minutes=15)

    @property
    def share(self) -> Fraction:
        """The share of equity that a target of 1 takes."""
        return Fraction(self.allocation or Fraction(1, len(self.symbols)))

    @property
    def bar_length(self) -> int:
        """How old a decision may be, in nanoseconds: one bar."""
        return bar_length(self.interval)

    @property
    def live_limits(self) -> RiskLimits:
        """The limits with an age of prices: nothing older than a bar trades."""
        bar_seconds = self.bar_length // UNIT
        age = min(self.limits.max_price_age or bar_seconds, bar_seconds)
        return self.limits.model_copy(update={"max_price_age": age})
