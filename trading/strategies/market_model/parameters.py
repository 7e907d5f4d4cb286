"""The parameters of the strategy: one model, so that the Prefect UI renders a form of it."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class StrategyParameters(BaseModel):
    """How beta and signals are computed; part of every partition's fingerprint but the cost."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    beta_window: int = Field(
        default=20,
        ge=2,
        le=10_000,
        description="Bars in the rolling window of beta and correlation, the current one included.",
        examples=[20, 120],
    )
    beta_min_periods: int = Field(
        default=10,
        ge=2,
        le=10_000,
        description="Complete pairs of returns below which beta and correlation are null.",
        examples=[10],
    )
    base_threshold_pct: float = Field(
        default=0.5,
        gt=0,
        le=100,
        description="Price change in per cent that makes a signal when the VIX is at its baseline.",
        examples=[0.5],
    )
    vix_baseline: float = Field(
        default=15.0,
        gt=0,
        le=1_000,
        description="VIX at which the threshold is the base threshold; a higher VIX raises it.",
        examples=[15.0],
    )
    vix_tolerance_hours: float = Field(
        default=24.0,
        ge=0,
        le=24 * 14,
        description="Oldest VIX value, in hours before a bar, that still counts as current.",
        examples=[24.0],
    )
    cost_bps: float = Field(
        default=1.0,
        ge=0,
        le=1_000,
        description="Cost of one trade in basis points; used in aggregation only.",
        examples=[1.0],
    )

    @model_validator(mode="after")
    def _window_holds_the_minimum(self) -> Self:
        if self.beta_min_periods > self.beta_window:
            msg = (
                f"beta_min_periods={self.beta_min_periods} is not at most "
                f"beta_window={self.beta_window}; lower it or widen the window."
            )
            raise ValueError(msg)
        return self
