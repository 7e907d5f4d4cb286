"""Run strategies once before any bar counts.

The first indicator loads TA-Lib and with it, where they are installed, pandas and Polars: seconds
that signals would wait for at whichever bar completes the first warm-up.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from lake.gold.history import History
from lake.gold.news_history import NewsHistory
from lake.gold.signal_pass import signal_pass
from live.histories.growing import UNKNOWN
from live.signals import LiveStrategy
from trading.bars.context import NEWS
from trading.bars.model import Bars
from trading.indicators.columns import COMMON
from trading.indicators.library import talib
from trading.instruments.clock import local_times, to_datetime64
from trading.news.series import NewsSeries

_NO_NEWS = NewsHistory(NewsSeries.of([]), UNKNOWN)
_BEGIN = datetime(2024, 7, 2, 13, 30, tzinfo=UTC)

logger = logging.getLogger(__name__)


def warm_up(strategies: Sequence[LiveStrategy]) -> None:
    """Let each strategy speak of made-up bars, and forget what it says."""
    talib()
    for one in strategies:
        bars = _history(_bars_needed(one))
        context = {name: _NO_NEWS if name == NEWS else bars for name in one.strategy.context}
        try:
            signal_pass(
                bars, one.interval, (),
                strategy=one.strategy, parameters=one.parameters, context=context,
            )  # fmt: skip
        except Exception as error:  # noqa: BLE001 - what it says of real bars is what counts
            logger.warning(
                "%s fails on made-up bars: %s; it is asked of the real ones all the same.",
                one.strategy.name, error,
            )  # fmt: skip


def _bars_needed(one: LiveStrategy) -> int:
    """Enough that each indicator and the strategy say something."""
    longest = max(indicator.warm_up for indicator in COMMON)
    return max(longest, one.strategy.warm_up_bars(one.parameters)) + 2


def _history(count: int) -> History:
    """Bars that go up and down."""
    minutes = np.arange(count) * np.timedelta64(60, "s").astype("timedelta64[ns]")
    starts = to_datetime64(_BEGIN) + minutes
    close = 100.0 + np.sin(np.arange(count) / 5.0)
    bars = Bars(
        symbol="MADEUP", timestamps=starts, open=close, high=close + 0.1, low=close - 0.1,
        close=close, volume=np.full(count, 100.0), vwap=close, trades=np.full(count, 1.0),
    )  # fmt: skip
    ends = starts + np.timedelta64(60, "s")
    return History(bars, ends, local_times(starts).astype("datetime64[D]"), UNKNOWN)
