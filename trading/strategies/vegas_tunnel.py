"""The Vegas tunnel: follow a close that leaves the tunnel of two long averages."""

from __future__ import annotations

from typing import Self

import numpy as np
from pydantic import Field, model_validator

from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.indicators.averages import EMA
from trading.strategies.crossings import cross_above, cross_below
from trading.strategies.price_strategy import PriceStrategy, StrategyModel, signals_of
from trading.strategies.protocol import Signals
from trading.strategies.settling import settled_ema


class VegasTunnelParameters(StrategyModel):
    """Periods of the filter and of the tunnel."""

    filter_periods: int = Field(
        default=12,
        ge=2,
        le=5_000,
        description="Bars of the EMA that must be on the side to which the close leaves.",
        examples=[12],
    )
    fast: int = Field(
        default=144,
        ge=2,
        le=5_000,
        description="Bars of the faster EMA of the tunnel.",
        examples=[144],
    )
    slow: int = Field(
        default=169,
        ge=2,
        le=5_000,
        description="Bars of the slower EMA of the tunnel.",
        examples=[169],
    )

    @model_validator(mode="after")
    def _periods_ascend(self) -> Self:
        if not self.filter_periods < self.fast < self.slow:
            msg = (
                f"filter_periods, fast, slow={self.filter_periods}, {self.fast}, {self.slow} do "
                "not ascend; order them as 12, 144, 169."
            )
            raise ValueError(msg)
        return self


class VegasTunnelStrategy(PriceStrategy[VegasTunnelParameters]):
    """Buy when the close leaves the tunnel upwards and the filter is above it; sell mirrors.

    Its columns are `tunnel_upper`, `tunnel_lower` and `filter`.
    """

    name = "vegas_tunnel"
    version = "1"

    @property
    def parameters(self) -> type[VegasTunnelParameters]:
        """Periods of the filter and of the tunnel."""
        return VegasTunnelParameters

    def warm_up_bars(self, parameters: VegasTunnelParameters) -> int:
        """A crossing takes the tunnel at two bars."""
        return parameters.slow

    def settled_bars(self, parameters: VegasTunnelParameters) -> int:
        """The slowest average, and the bar before."""
        return settled_ema(parameters.slow) + 1

    def _of_present(
        self,
        bars: Bars,
        interval: Interval,  # noqa: ARG002 - the same for all
        parameters: VegasTunnelParameters,
    ) -> Signals:
        quick, fast, slow = (
            EMA(periods).of(bars)[0]
            for periods in (parameters.filter_periods, parameters.fast, parameters.slow)
        )
        upper, lower = np.maximum(fast, slow), np.minimum(fast, slow)
        buy = cross_above(bars.close, upper) & (quick > upper)
        sell = cross_below(bars.close, lower) & (quick < lower)
        columns = {"tunnel_upper": upper, "tunnel_lower": lower, "filter": quick}
        return Signals(signals_of(buy, sell), columns)
