"""The indicators that every gold file has, whatever its strategy."""

from __future__ import annotations

from trading.arrays import Floats
from trading.bars.model import Bars
from trading.indicators.averages import EMA, MACD, Bollinger
from trading.indicators.ranges import ATR, RSI

COMMON = (
    *(EMA(periods) for periods in (8, 12, 13, 144, 169)),
    RSI(14),
    MACD(12, 26, 9),
    Bollinger(20, 2.0),
    ATR(14),
)
"""In the order of the columns."""

COMMON_COLUMNS = tuple(name for indicator in COMMON for name in indicator.names)
"""`ema_8` to `atr_14`."""


def common_columns(bars: Bars) -> dict[str, Floats]:
    """The common indicators by column name, in order; shape (n,), NaN where null.

    Args:
        bars: All bars from the first that there is.
    """
    return {
        name: series for indicator in COMMON for name, series in indicator.columns(bars).items()
    }
