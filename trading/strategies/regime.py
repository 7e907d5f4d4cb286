"""Regime: one strategy while the market is calm, another while the VIX is high."""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, Field, model_validator

from trading.bars.context import SPX, VIX
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.strategies.bollinger_reversion import BollingerReversionStrategy
from trading.strategies.macd_cross import MACDCrossStrategy
from trading.strategies.market_model.strategy import MarketModelStrategy
from trading.strategies.price_strategy import StrategyModel
from trading.strategies.protocol import HOLD, SIGNAL_NAMES, Context, Signals, Strategy
from trading.strategies.rsi_reversion import RSIReversionStrategy
from trading.strategies.settling import settled_bars
from trading.strategies.vegas_channel.strategy import VegasChannelStrategy
from trading.strategies.vegas_tunnel import VegasTunnelStrategy

_MEMBERS: tuple[Strategy[Any], ...] = (
    BollingerReversionStrategy(),
    MACDCrossStrategy(),
    MarketModelStrategy(),
    RSIReversionStrategy(),
    VegasChannelStrategy(),
    VegasTunnelStrategy(),
)

MEMBERS = {member.name: member for member in _MEMBERS}
"""What a regime can be made of, by name; not of news, without which it would have no opinion."""

MemberName = Literal[
    "bollinger_reversion",
    "macd_cross",
    "market_model",
    "rsi_reversion",
    "vegas_channel",
    "vegas_tunnel",
]

CALM, STRESSED = "calm", "stressed"


class Member(StrategyModel):
    """A strategy with its parameters, those that were left out included."""

    strategy: MemberName = Field(description="Which strategy it is.", examples=["macd_cross"])
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="Its parameters that are not its defaults.",
        examples=[{"fast": 8, "slow": 21}],
    )

    @model_validator(mode="after")
    def _parameters_are_the_strategys(self) -> Self:
        # Written out, so that a changed default changes the fingerprint too.
        self.parameters.update(self.validated().model_dump())
        return self

    def validated(self) -> BaseModel:
        """The parameters as the strategy's own model."""
        return MEMBERS[self.strategy].parameters.model_validate(self.parameters)


class RegimeParameters(StrategyModel):
    """The VIX that divides the regimes, and a strategy for each."""

    vix_threshold: float = Field(
        default=20.0,
        gt=0,
        le=1_000,
        description="VIX from which on the market counts as stressed.",
        examples=[20.0],
    )
    calm: Member = Field(
        default_factory=lambda: Member(strategy="rsi_reversion"),
        description="The strategy below the threshold.",
        examples=[{"strategy": "rsi_reversion"}],
    )
    stressed: Member = Field(
        default_factory=lambda: Member(strategy="vegas_channel"),
        description="The strategy at or above the threshold.",
        examples=[{"strategy": "vegas_channel", "parameters": {"repeat_bars": 60}}],
    )


class RegimeStrategy:
    """The signal of the strategy whose regime it is; hold while the VIX is unknown.

    Both strategies see all bars, so neither warms up anew when the regime changes, and a hold
    keeps what the other one has bought. Its columns are `vix`, `regime`, `calm_signal` and
    `stressed_signal`.
    """

    name = "regime"
    # A member that computes otherwise makes other signals here.
    version = "1 " + " ".join(f"{name}={member.version}" for name, member in MEMBERS.items())
    context: tuple[str, ...] = (VIX, SPX)

    @property
    def parameters(self) -> type[RegimeParameters]:
        """The VIX that divides the regimes, and a strategy for each."""
        return RegimeParameters

    def warm_up_bars(self, parameters: RegimeParameters) -> int:
        """Until one of the two can signal."""
        return min(
            MEMBERS[member.strategy].warm_up_bars(member.validated())
            for member in (parameters.calm, parameters.stressed)
        )

    def settled_bars(self, parameters: RegimeParameters) -> int:
        """Until both have settled."""
        return max(
            settled_bars(MEMBERS[member.strategy], member.validated())
            for member in (parameters.calm, parameters.stressed)
        )

    def evaluate(
        self, bars: Bars, interval: Interval, context: Context, parameters: RegimeParameters
    ) -> Signals:
        """The signals of all given bars."""
        vix = context[VIX]
        calm, stressed = (
            MEMBERS[member.strategy]
            .evaluate(bars, interval, context, member.validated())
            .signal.astype(np.int8)
            for member in (parameters.calm, parameters.stressed)
        )
        is_calm, is_stressed = vix < parameters.vix_threshold, vix >= parameters.vix_threshold
        signal = np.select([is_calm, is_stressed], [calm, stressed], HOLD).astype(np.int8)
        regime = np.full(len(bars), None, object)
        regime[is_calm], regime[is_stressed] = CALM, STRESSED
        columns = {
            "vix": vix,
            "regime": regime,
            "calm_signal": _named(calm),
            "stressed_signal": _named(stressed),
        }
        return Signals(signal, columns)


def _named(signal: npt.NDArray[np.int8]) -> npt.NDArray[np.object_]:
    return np.array([SIGNAL_NAMES[code] for code in signal.tolist()], object)
