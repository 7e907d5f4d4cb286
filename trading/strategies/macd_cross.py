"""MACD cross: follow the MACD line when it crosses its signal."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.indicators.averages import MACD
from trading.strategies.crossings import cross_above, cross_below
from trading.strategies.price_strategy import PriceStrategy, StrategyModel, signals_of
from trading.strategies.protocol import Signals
from trading.strategies.settling import settled_ema


class MACDCrossParameters(StrategyModel):
    """Periods of the three averages."""

    fast: int = Field(
        default=12, ge=2, le=1_000, description="Bars of the fast EMA.", examples=[12]
    )
    slow: int = Field(
        default=26, ge=2, le=1_000, description="Bars of the slow EMA.", examples=[26]
    )
    signal: int = Field(
        default=9, ge=2, le=1_000, description="Bars of the signal line's EMA.", examples=[9]
    )

    @model_validator(mode="after")
    def _periods_ascend(self) -> Self:
        if self.fast >= self.slow:
            msg = f"fast={self.fast} is not below slow={self.slow}; lower it or raise the other."
            raise ValueError(msg)
        return self


class MACDCrossStrategy(PriceStrategy[MACDCrossParameters]):
    """Buy when the MACD line crosses above its signal, sell when it crosses below.

    Its columns are `line`, `signal_line` and `histogram`.
    """

    name = "macd_cross"
    version = "1"

    @property
    def parameters(self) -> type[MACDCrossParameters]:
        """Periods of the three averages."""
        return MACDCrossParameters

    def warm_up_bars(self, parameters: MACDCrossParameters) -> int:
        """A crossing takes both lines at two bars."""
        return parameters.slow + parameters.signal - 1

    def settled_bars(self, parameters: MACDCrossParameters) -> int:
        """The line settles first, and its average after it."""
        return settled_ema(parameters.slow) + settled_ema(parameters.signal)

    def _of_present(
        self,
        bars: Bars,
        interval: Interval,  # noqa: ARG002 - the same for all
        parameters: MACDCrossParameters,
    ) -> Signals:
        macd = MACD(parameters.fast, parameters.slow, parameters.signal)
        line, signal, histogram = macd.of(bars)
        return Signals(
            signals_of(cross_above(line, signal), cross_below(line, signal)),
            {"line": line, "signal_line": signal, "histogram": histogram},
        )
