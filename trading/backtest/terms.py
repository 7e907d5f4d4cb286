"""What holds during a run of the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trading.instruments.actions import CorporateAction
from trading.orders.fills import Costs
from trading.risk.guards import Guard
from trading.risk.limits import RiskLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What holds during a run.

    Attributes:
        capital: Dollars to start with.
        costs: What fills cost.
        limits: What the gate holds orders to.
        guards: When nothing may be entered for a while.
        actions: Splits and dividends of unadjusted bars.
        deposits: Row and dollars (below 0: a withdrawal) of what is paid in before the row's
            fills.
    """

    capital: Decimal
    costs: Costs
    limits: RiskLimits = field(default_factory=RiskLimits)
    guards: tuple[Guard, ...] = ()
    actions: Sequence[CorporateAction] = ()
    deposits: Sequence[tuple[int, Decimal]] = ()
