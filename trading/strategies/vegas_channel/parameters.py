"""The parameters of the Vegas channel."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trading.bars.intervals import Interval
from trading.strategies.price_strategy import StrategyModel

LOST_WINDOWS = {1: 28, 3: 20, 5: 20, 8: 14, 13: 14}
"""Bars among which lost ones are counted, by the interval's number of minutes or sessions."""

OTHER_LOST_WINDOW = 7

TOUCH_TOLERANCES = {1: 0.002, 3: 0.02, 5: 0.05, 8: 0.07, 13: 0.1}
"""Width of the band around the long averages, by the interval's number of minutes or sessions."""

OTHER_TOUCH_TOLERANCE = 0.02


class VegasChannelParameters(StrategyModel):
    """Periods of the four averages, and what counts as recent and as near."""

    short_fast: int = Field(
        default=8, ge=2, le=1_000, description="Bars of the short pair's fast EMA.", examples=[8]
    )
    short_slow: int = Field(
        default=13,
        ge=2,
        le=1_000,
        description="Bars of the short pair's slow EMA, which decides weak and loss.",
        examples=[13],
    )
    long_fast: int = Field(
        default=144, ge=2, le=5_000, description="Bars of the long pair's fast EMA.", examples=[144]
    )
    long_slow: int = Field(
        default=169,
        ge=2,
        le=5_000,
        description="Bars of the long pair's slow EMA, and how many there are before a buy.",
        examples=[169],
    )
    lost_window: int | None = Field(
        default=None,
        ge=1,
        le=1_000,
        description="Bars among which those that are not maintained are counted; by default 28, "
        "20, 20, 14 and 14 for intervals of 1, 3, 5, 8 and 13, otherwise 7.",
        examples=[20],
    )
    repeat_bars: int = Field(
        default=30,
        ge=0,
        le=10_000,
        description="Bars before this one within which the same acceleration makes it a repeat.",
        examples=[30],
    )
    touch_tolerance: float | None = Field(
        default=None,
        ge=0,
        lt=1,
        description="Share of the price by which the band around the long pair is wider; by "
        "default 0.002, 0.02, 0.05, 0.07 and 0.1 for intervals of 1, 3, 5, 8 and 13, otherwise "
        "0.02.",
        examples=[0.02],
    )

    @model_validator(mode="after")
    def _periods_ascend(self) -> Self:
        periods = (self.short_fast, self.short_slow, self.long_fast, self.long_slow)
        if sorted(set(periods)) != list(periods):
            msg = (
                "short_fast, short_slow, long_fast, long_slow="
                f"{', '.join(map(str, periods))} do not ascend; order them as 8, 13, 144, 169."
            )
            raise ValueError(msg)
        return self

    def lost_window_of(self, interval: Interval) -> int:
        """The window that is set, or that of the interval."""
        if self.lost_window is not None:
            return self.lost_window
        return LOST_WINDOWS.get(_number(interval), OTHER_LOST_WINDOW)

    def touch_tolerance_of(self, interval: Interval) -> float:
        """The tolerance that is set, or that of the interval."""
        if self.touch_tolerance is not None:
            return self.touch_tolerance
        return TOUCH_TOLERANCES.get(_number(interval), OTHER_TOUCH_TOLERANCE)


def _number(interval: Interval) -> int:
    return interval.minutes if interval.is_intraday else interval.sessions
