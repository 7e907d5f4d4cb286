"""The volume-weighted average price of a session up to each bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trading.arrays import Floats
from trading.bars.model import Bars
from trading.indicators.indicator import Indicator
from trading.instruments.clock import local_times


@dataclass(frozen=True, slots=True)
class VWAP(Indicator):
    """sum(p v) / sum(v) over the session's bars up to this one, null while the volume is 0.

    p is the bar's own volume-weighted price, (high + low + close) / 3 where it has none. A
    session is a date in New York, where the sum begins anew.
    """

    inputs: ClassVar[tuple[str, ...]] = ("high", "low", "close", "volume")

    @property
    def names(self) -> tuple[str, ...]:
        """`vwap_session`: `vwap` is the bar's own."""
        return ("vwap_session",)

    @property
    def warm_up(self) -> int:
        """It is there from the first bar with a volume."""
        return 0

    def _of_present(self, bars: Bars) -> tuple[Floats, ...]:
        typical = (bars.high + bars.low + bars.close) / 3
        dollars = np.where(np.isfinite(bars.vwap), bars.vwap, typical) * bars.volume
        dates = local_times(bars.timestamps).astype("datetime64[D]")
        starts = np.flatnonzero(dates[1:] != dates[:-1]) + 1
        totals, volumes = (
            # One session after the other: differences of one running sum would keep its rounding.
            np.concatenate([np.cumsum(part) for part in np.split(values, starts)])
            for values in (dollars, bars.volume)
        )
        average = np.full(len(bars), np.nan)
        np.divide(totals, volumes, out=average, where=volumes > 0)
        return (average,)
