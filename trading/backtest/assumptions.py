"""What a backtest assumes of the account and of the market it trades in."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from trading.orders.fills import Costs
from trading.orders.model import TimeInForce


class Assumptions(BaseModel):
    """Capital, costs and how signals become orders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    capital: Decimal = Field(
        Decimal(100_000),
        gt=0,
        decimal_places=9,
        description="Dollars to start with.",
        examples=[50_000],
    )
    fees_bps: Decimal = Field(
        Decimal(1),
        ge=0,
        lt=10_000,
        description="Fee of a fill in basis points of its notional.",
        examples=[1],
    )
    fee_per_share: Decimal = Field(
        Decimal(0),
        ge=0,
        decimal_places=9,
        description="Fee of a fill in dollars per share.",
        examples=["0.005"],
    )
    slippage_bps: Decimal = Field(
        Decimal(1), ge=0, lt=10_000,
        description="How much worse than the bar's price market and stop orders fill, in basis "
        "points.",
        examples=[1],
    )  # fmt: skip
    participation: Decimal | None = Field(
        Decimal("0.025"), gt=0, le=1,
        description="Share of a bar's volume that all orders of a symbol may take; none for no "
        "bound. A bar of unknown volume fills nothing.",
        examples=["0.025"],
    )  # fmt: skip
    allow_short: bool = Field(
        default=False, description="Whether a sell signal goes short.", examples=[True]
    )
    allocation: Decimal | None = Field(
        None, gt=0, description="Share of equity that a target of 1 takes in each symbol; one "
        "over the number of symbols unless said.",
        examples=["0.5"],
    )  # fmt: skip
    rebalance: bool = Field(
        default=False,
        description="Whether positions are brought back to their targets at every bar.",
        examples=[True],
    )
    time_in_force: TimeInForce = Field(
        TimeInForce.DAY,
        description="How long an order works: its session or until cancelled.",
        examples=["day"],
    )

    def costs(self) -> Costs:
        """What fills cost, as exact ratios."""
        return Costs.of(
            fees_bps=self.fees_bps,
            fee_per_share=self.fee_per_share,
            slippage_bps=self.slippage_bps,
            participation=self.participation,
        )
