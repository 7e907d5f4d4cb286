"""What the risk gate holds an account to, and the codes of what it refuses."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Code(StrEnum):
    """Why an order is denied."""

    RECONCILING = "RECONCILING"
    """Our ledger and the broker do not agree yet."""
    TRADING_HALTED = "TRADING_HALTED"
    REDUCING_WOULD_INCREASE = "REDUCING_WOULD_INCREASE"
    """Only orders that make a position smaller pass."""
    DUPLICATE_SIGNAL = "DUPLICATE_SIGNAL"
    """An order of this name was made before."""
    MARKET_CLOSED = "MARKET_CLOSED"
    NO_PRICE = "NO_PRICE"
    STALE_PRICE = "STALE_PRICE"
    PRICE_COLLAR = "PRICE_COLLAR"
    """The order's price is too far from the last one."""
    WASH = "WASH"
    """An order of ours on the other side would trade with it."""
    RATE = "RATE"
    """Too many orders within a minute."""
    MAX_ORDER = "MAX_ORDER"
    MAX_POSITION = "MAX_POSITION"
    MAX_GROSS = "MAX_GROSS"
    BUYING_POWER = "BUYING_POWER"


class TradingState(StrEnum):
    """What the gate lets pass."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    """Only what makes a position smaller."""
    HALTED = "HALTED"
    """Nothing but cancels."""


class RiskLimits(BaseModel):
    """The limits of one account; None where there is none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_order: Decimal | None = Field(
        None, gt=0, description="Greatest notional of an order in dollars.", examples=["25000"]
    )
    max_position: Decimal | None = Field(
        None, gt=0, description="Greatest exposure in one symbol, as a share of equity.",
        examples=["0.2"],
    )  # fmt: skip
    max_gross: Decimal | None = Field(
        None, gt=0, description="Greatest exposure in all symbols, as a multiple of equity.",
        examples=["1.5"],
    )  # fmt: skip
    buying_power: Decimal | None = Field(
        Decimal(2), gt=0,
        description="Exposure that equity carries, costs included; 2 in a margin account under "
        "Regulation T.", examples=["1"],
    )  # fmt: skip
    price_collar: Decimal | None = Field(
        None, gt=0, description="Greatest distance of an order's price from the last one, as a "
        "share of it.", examples=["0.05"],
    )  # fmt: skip
    max_price_age: int | None = Field(
        None, gt=0, description="Seconds after which the last price is stale.", examples=[120]
    )
    max_orders_per_minute: int | None = Field(
        None, gt=0, description="Orders within a minute, beyond which only exits pass."
    )
    max_drawdown: Decimal | None = Field(
        None, gt=0, le=1, description="Fall of the net asset value per unit from its peak at "
        "which trading halts until a person resumes it.", examples=["0.2"],
    )  # fmt: skip
    max_daily_loss: Decimal | None = Field(
        None, gt=0, le=1, description="Loss since the last session's close at which only "
        "reductions pass until the next session, as a share of that equity.", examples=["0.03"],
    )  # fmt: skip
    close_when_halted: bool = Field(
        default=True, description="Whether a halt closes all positions after cancelling all orders."
    )
