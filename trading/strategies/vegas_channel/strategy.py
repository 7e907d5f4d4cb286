"""The Vegas channel: buy what speeds away from its averages, sell what is lost below them.

S is the pair of short averages (EMA 8 and 13), L that of the long ones (EMA 144 and 169).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.indicators.averages import EMA
from trading.strategies.price_strategy import Mask, PriceStrategy, signals_of
from trading.strategies.protocol import Signals
from trading.strategies.settling import settled_ema
from trading.strategies.vegas_channel.parameters import LOST_WINDOWS, VegasChannelParameters

Text = npt.NDArray[np.object_]

MAINTAINED, WEAK, LOSS, NEGOTIATING = "maintained", "weak", "loss", "negotiating"
SUPPORT, RESISTANCE, NEUTRAL = "support", "resistance", "neutral"


class VegasChannelStrategy(PriceStrategy[VegasChannelParameters]):
    """Buy when a price that had lost its averages accelerates above them; sell when it is lost.

    Its columns are `status`, `lost`, `accelerated`, `decelerated` and `ema_touch`. The two
    accelerations leave out repeats, and the buy signal takes the one that is left.
    """

    name = "vegas_channel"
    version = "1"

    @property
    def parameters(self) -> type[VegasChannelParameters]:
        """Periods, windows and the tolerance of a touch."""
        return VegasChannelParameters

    def warm_up_bars(self, parameters: VegasChannelParameters) -> int:
        """The bars before the slowest average exists."""
        return parameters.long_slow - 1

    def settled_bars(self, parameters: VegasChannelParameters) -> int:
        """The slowest average, the bars that count as lost, and those that make a repeat."""
        lost = parameters.lost_window or max(LOST_WINDOWS.values())
        return settled_ema(parameters.long_slow) + lost + parameters.repeat_bars

    def _of_present(
        self, bars: Bars, interval: Interval, parameters: VegasChannelParameters
    ) -> Signals:
        averages = _averages(bars, parameters)
        status = channel_status(bars, averages)
        lost = lost_bars(status, parameters.lost_window_of(interval))
        fast = lost > parameters.lost_window_of(interval) - lost
        accelerated, decelerated = (
            without_repeats(found & fast, parameters.repeat_bars)
            for found in _accelerations(bars, averages)
        )
        enough = np.arange(len(bars)) >= parameters.long_slow - 1
        return Signals(
            signals_of(enough & accelerated & (bars.open < bars.close), status == LOSS),
            {
                "status": status,
                "lost": lost,
                "accelerated": accelerated,
                "decelerated": decelerated,
                "ema_touch": ema_touch(bars, averages, parameters.touch_tolerance_of(interval)),
            },
        )


@dataclass(frozen=True, slots=True, eq=False)
class Averages:
    """The four averages and the bounds of both pairs, shape (n,), NaN where null."""

    short_fast: Floats
    short_slow: Floats
    long_slow: Floats
    short_min: Floats
    short_max: Floats
    long_min: Floats
    long_max: Floats


def channel_status(bars: Bars, averages: Averages) -> Text:
    """Where the close stands among the averages, None until all of them exist.

    The first that holds of: `maintained`, c > o, max S, max L and min S > max L; `weak`, below the
    slower short and above the slower long average; `loss`, below both; else `negotiating`.
    """
    close = bars.close
    maintained = (
        (close > bars.open)
        & (close > averages.short_max)
        & (close > averages.long_max)
        & (averages.short_min > averages.long_max)
    )
    below = close < averages.short_slow
    status = np.full(len(bars), NEGOTIATING, object)
    status[below & (close < averages.long_slow)] = LOSS
    status[below & (close > averages.long_slow)] = WEAK
    status[maintained] = MAINTAINED
    status[np.isnan(averages.long_slow)] = None
    return status


def lost_bars(status: Text, window: int) -> Floats:
    """How many of the last `window` bars are not maintained, NaN until so many have a status."""
    known = np.array([name is not None for name in status.tolist()], bool)
    totals = np.append(0, np.cumsum(known & (status != MAINTAINED)))
    lost = np.full(len(status), np.nan)
    lost[window - 1 :] = totals[window:] - totals[:-window]
    lost[np.cumsum(known) < window] = np.nan
    return lost


def without_repeats(found: Mask, bars: int) -> Mask:
    """The given bars but those with another, dropped or not, within the `bars` before."""
    at = np.flatnonzero(found)
    first = np.zeros(len(found), bool)
    first[at[np.diff(at, prepend=-bars - 1) > bars]] = True
    return first


def ema_touch(bars: Bars, averages: Averages, tolerance: float) -> Text:
    """What the long pair is to a price that touches it; None where it does not, or is not known.

    The price touches when the low or a short average lies within the band
    [min L (1 - tolerance), max L (1 + tolerance)].
    """
    bottom, top = averages.long_min * (1 - tolerance), averages.long_max * (1 + tolerance)
    touches = np.zeros(len(bars), bool)
    for level in (bars.low, averages.short_slow, averages.short_fast):
        touches |= (bottom <= level) & (level <= top)
    body = np.minimum(bars.open, bars.close)
    kind = np.full(len(bars), NEUTRAL, object)
    above, below = (
        averages.short_min > averages.long_max,
        averages.short_max < averages.long_max,
    )
    kind[below & (bars.close < averages.long_max)] = RESISTANCE
    kind[above & (body > averages.long_min)] = SUPPORT
    kind[~touches] = None
    return kind


def _accelerations(bars: Bars, averages: Averages) -> tuple[Mask, Mask]:
    """Where max L <= max S < o < c, and where c < min S <= min L."""
    accelerated = (
        (averages.long_max <= averages.short_max)
        & (averages.short_max < bars.open)
        & (bars.open < bars.close)
    )
    decelerated = (bars.close < averages.short_min) & (averages.short_min <= averages.long_min)
    return accelerated, decelerated


def _averages(bars: Bars, parameters: VegasChannelParameters) -> Averages:
    short_fast, short_slow, long_fast, long_slow = (
        EMA(periods).of(bars)[0]
        for periods in (
            parameters.short_fast,
            parameters.short_slow,
            parameters.long_fast,
            parameters.long_slow,
        )
    )
    return Averages(
        short_fast=short_fast,
        short_slow=short_slow,
        long_slow=long_slow,
        short_min=np.minimum(short_fast, short_slow),
        short_max=np.maximum(short_fast, short_slow),
        long_min=np.minimum(long_fast, long_slow),
        long_max=np.maximum(long_fast, long_slow),
    )
