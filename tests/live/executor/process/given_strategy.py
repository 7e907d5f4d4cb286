"""A strategy of a user's own, whose signals the tests make themselves."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel

from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.strategies.protocol import HOLD, Context, Signals


class NoParameters(BaseModel):
    """None."""


class GivenStrategy:
    """It says nothing itself."""

    name = "given"
    version = "1"
    context = ()
    parameters = NoParameters

    def warm_up_bars(self, parameters: NoParameters) -> int:
        return 0

    def evaluate(
        self,
        bars: Bars,
        interval: Interval,
        context: Context,
        parameters: NoParameters,
    ) -> Signals:
        return Signals(np.full(len(bars.close), HOLD, np.int8))
