"""Daily bars of real stocks, unadjusted, from bokeh's sample data."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from bokeh_sampledata import stocks

from trading.bars.model import Bars

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


@cache
def daily(symbol: str) -> Bars:
    """2000 to 2013, labelled at noon UTC, which is the same date in New York."""
    table: dict[str, Any] = getattr(stocks, symbol)
    dates = np.array(table["date"], "datetime64[D]")
    nothing = np.full(len(dates), np.nan)
    return Bars(
        symbol=symbol,
        timestamps=(dates + np.timedelta64(12, "h")).astype("datetime64[ns]"),
        **{name: np.array(table[name], float) for name in ("open", "high", "low", "close")},
        volume=np.array(table["volume"], float),
        vwap=nothing,
        trades=nothing,
    )
