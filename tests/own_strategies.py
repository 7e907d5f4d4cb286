"""Strategies as users write them: one that works, one that raises, and some that look ahead."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, Field

from trading.arrays import Floats
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.strategies.protocol import Context, Signals


class Periods(BaseModel):
    """How far back is looked."""

    periods: int = Field(default=10, ge=2, le=100, description="Bars.", examples=[10])


class Momentum:
    """Buy what has risen over some bars, sell what has not."""

    name = "momentum"
    version = "1"
    context: tuple[str, ...] = ()
    parameters = Periods

    def warm_up_bars(self, parameters: Periods) -> int:
        return parameters.periods

    def evaluate(
        self, bars: Bars, interval: Interval, context: Context, parameters: Periods
    ) -> Signals:
        score = np.zeros(len(bars))
        score[parameters.periods :] = self.score(bars, parameters.periods)
        return Signals(np.nan_to_num(np.sign(score)).astype(np.int8))

    def score(self, bars: Bars, periods: int) -> Floats:
        return bars.close[periods:] - bars.close[:-periods]


class Raises(Momentum):
    """Divides by zero for 13 periods."""

    name = "raises"

    def score(self, bars: Bars, periods: int) -> Floats:
        weight = 1 / (periods - 13)  # the line that the message must tell
        return np.asarray(weight * super().score(bars, periods), np.float64)


class PeeksOneBar(Momentum):
    """Buys before the next bar rises."""

    name = "peeks_one_bar"

    def score(self, bars: Bars, periods: int) -> Floats:
        return np.append(np.diff(bars.close), 0.0)[periods:]


class UsesTheDaysClose(Momentum):
    """Compares every bar of a session with the session's last one."""

    name = "uses_the_days_close"

    def score(self, bars: Bars, periods: int) -> Floats:
        days = bars.timestamps.astype("datetime64[D]")
        last = np.searchsorted(days, days, side="right") - 1
        return (bars.close[last] - bars.open)[periods:]


class NormalisesOverTheSample(Momentum):
    """Compares closes with the mean of all of them."""

    name = "normalises_over_the_sample"

    def score(self, bars: Bars, periods: int) -> Floats:
        return np.asarray(bars.close - bars.close.mean(), np.float64)[periods:]
