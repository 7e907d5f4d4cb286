"""The market model as a strategy: rolling beta, thresholds that grow with the VIX."""

from __future__ import annotations

from pydantic import BaseModel

from trading.bars.context import SPX, VIX
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.strategies.market_model.inputs import ContractBars
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import ANALYSIS_VERSION, analyze, lookback_bars
from trading.strategies.protocol import Context, Signals

COLUMNS = ("price_change_pct", "spx_change_pct", "beta", "correlation", "buy_threshold",
           "sell_threshold")  # fmt: skip
"""What it stores beside the signal, as the main pipeline's results name it."""


class MarketModelStrategy:
    """Buy when the close rises, sell when it falls, by more than a threshold set by the VIX."""

    name = "market_model"
    version = ANALYSIS_VERSION
    context: tuple[str, ...] = (VIX, SPX)

    @property
    def parameters(self) -> type[BaseModel]:
        """Window, minimum of pairs and thresholds."""
        return StrategyParameters

    def warm_up_bars(self, parameters: StrategyParameters) -> int:
        """The bars that the rolling window looks back."""
        return lookback_bars(parameters)

    def evaluate(
        self,
        bars: Bars,
        interval: Interval,  # noqa: ARG002 - the model is the same for all
        context: Context,
        parameters: StrategyParameters,
    ) -> Signals:
        """The signals of the closes, as the main pipeline computes them."""
        aligned = ContractBars(bars.symbol, bars.timestamps, bars.close, context[VIX], context[SPX])
        analysis = analyze(aligned, parameters)
        return Signals(analysis.signal, {name: getattr(analysis, name) for name in COLUMNS})
