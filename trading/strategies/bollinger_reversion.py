"""Bollinger reversion: a close that comes back inside a band goes on towards the mean."""

from __future__ import annotations

from pydantic import Field

from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.indicators.averages import Bollinger
from trading.strategies.crossings import cross_above, cross_below
from trading.strategies.price_strategy import PriceStrategy, StrategyModel, signals_of
from trading.strategies.protocol import Signals


class BollingerReversionParameters(StrategyModel):
    """Window and width of the bands."""

    periods: int = Field(
        default=20,
        ge=2,
        le=1_000,
        description="Bars of the mean and of the deviation.",
        examples=[20],
    )
    deviations: float = Field(
        default=2.0,
        gt=0,
        le=10,
        description="Standard deviations between the mean and a band.",
        examples=[2.0],
    )


class BollingerReversionStrategy(PriceStrategy[BollingerReversionParameters]):
    """Buy when the close crosses back above the lower band, sell when back below the upper one.

    Its columns are `band_upper`, `band_middle` and `band_lower`.
    """

    name = "bollinger_reversion"
    version = "1"

    @property
    def parameters(self) -> type[BollingerReversionParameters]:
        """Window and width of the bands."""
        return BollingerReversionParameters

    def warm_up_bars(self, parameters: BollingerReversionParameters) -> int:
        """A crossing takes the bands at two bars."""
        return parameters.periods

    def _of_present(
        self,
        bars: Bars,
        interval: Interval,  # noqa: ARG002 - the same for all
        parameters: BollingerReversionParameters,
    ) -> Signals:
        upper, middle, lower = Bollinger(parameters.periods, parameters.deviations).of(bars)
        return Signals(
            signals_of(cross_above(bars.close, lower), cross_below(bars.close, upper)),
            {"band_upper": upper, "band_middle": middle, "band_lower": lower},
        )
