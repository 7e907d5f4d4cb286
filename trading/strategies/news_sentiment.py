"""News sentiment: hold what is well spoken of, and let go of what is not."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trading.bars.context import NEWS
from trading.bars.intervals import Interval
from trading.bars.model import PRICES, Bars
from trading.indicators.indicator import has_all
from trading.news.series import HALF_LIFE_HOURS
from trading.strategies.price_strategy import StrategyModel, signals_of
from trading.strategies.protocol import Context, Signals


class NewsSentimentParameters(StrategyModel):
    """How fast news age, and the two levels of the score."""

    news_half_life_hours: float = Field(
        default=HALF_LIFE_HOURS,
        ge=0.25,
        le=720,
        description="Hours after which an article counts half in the score.",
        examples=[24.0],
    )
    buy_from: float = Field(
        default=0.2,
        ge=-1,
        le=1,
        description="Score at or above which a bar is a buy.",
        examples=[0.2],
    )
    sell_from: float = Field(
        default=-0.2,
        ge=-1,
        le=1,
        description="Score at or below which a bar is a sell.",
        examples=[-0.2],
    )

    @model_validator(mode="after")
    def _levels_ascend(self) -> Self:
        if self.sell_from >= self.buy_from:
            msg = (
                f"sell_from={self.sell_from} is not below buy_from={self.buy_from}; "
                "lower it or raise the other."
            )
            raise ValueError(msg)
        return self


class NewsSentimentStrategy:
    """Buy while the news score is at or above one level, sell while it is at or below another.

    Without an article that counts there is no score and no opinion: it holds, as it does at a
    missing bar. Its column is `news_score`.
    """

    name = "news_sentiment"
    version = "1"
    context: tuple[str, ...] = (NEWS,)

    @property
    def parameters(self) -> type[NewsSentimentParameters]:
        """How fast news age, and the two levels of the score."""
        return NewsSentimentParameters

    def warm_up_bars(self, parameters: NewsSentimentParameters) -> int:  # noqa: ARG002 - the same for all
        """The first bar can signal: the score needs articles, not bars."""
        return 0

    def evaluate(
        self,
        bars: Bars,
        interval: Interval,  # noqa: ARG002 - the same for all
        context: Context,
        parameters: NewsSentimentParameters,
    ) -> Signals:
        """The signals of all given bars."""
        score, present = context[NEWS], has_all(bars, PRICES)
        # NaN is neither at or above the one level nor at or below the other.
        buy = present & (score >= parameters.buy_from)
        sell = present & (score <= parameters.sell_from)
        return Signals(signals_of(buy, sell), {"news_score": score})
