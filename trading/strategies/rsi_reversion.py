"""RSI reversion: buy what is no longer oversold, sell what is no longer overbought."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.indicators.ranges import RSI
from trading.strategies.crossings import cross_above, cross_below
from trading.strategies.price_strategy import PriceStrategy, StrategyModel, signals_of
from trading.strategies.protocol import Signals
from trading.strategies.settling import settled_wilder


class RSIReversionParameters(StrategyModel):
    """The index and its two levels."""

    periods: int = Field(
        default=14, ge=2, le=1_000, description="Bars of the RSI's averages.", examples=[14]
    )
    oversold: float = Field(
        default=30.0,
        gt=0,
        lt=100,
        description="Level of the RSI that makes a buy when it is crossed from below.",
        examples=[30.0],
    )
    overbought: float = Field(
        default=70.0,
        gt=0,
        lt=100,
        description="Level of the RSI that makes a sell when it is crossed from above.",
        examples=[70.0],
    )

    @model_validator(mode="after")
    def _levels_ascend(self) -> Self:
        if self.oversold >= self.overbought:
            msg = (
                f"oversold={self.oversold} is not below overbought={self.overbought}; "
                "lower it or raise the other."
            )
            raise ValueError(msg)
        return self


class RSIReversionStrategy(PriceStrategy[RSIReversionParameters]):
    """Buy when the RSI crosses back above the lower level, sell when back below the upper one.

    Its column is `rsi`.
    """

    name = "rsi_reversion"
    version = "1"

    @property
    def parameters(self) -> type[RSIReversionParameters]:
        """The index and its two levels."""
        return RSIReversionParameters

    def warm_up_bars(self, parameters: RSIReversionParameters) -> int:
        """A crossing takes the RSI at two bars."""
        return parameters.periods + 1

    def settled_bars(self, parameters: RSIReversionParameters) -> int:
        """Two averages of Wilder's, and the bar before."""
        return settled_wilder(parameters.periods) + 1

    def _of_present(
        self,
        bars: Bars,
        interval: Interval,  # noqa: ARG002 - the same for all
        parameters: RSIReversionParameters,
    ) -> Signals:
        (rsi,) = RSI(parameters.periods).of(bars)
        buy = cross_above(rsi, parameters.oversold)
        sell = cross_below(rsi, parameters.overbought)
        return Signals(signals_of(buy, sell), {"rsi": rsi})
