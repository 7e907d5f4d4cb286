"""A history that grows bar by bar is the one that is made of all bars at once, to the bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lake.gold.history import History
from lake.gold.signal_pass import signal_pass
from live.histories.bars import bars_of
from live.histories.growing import UNKNOWN, GrowingHistory
from live.signals import LiveStrategy
from trading.bars.model import VALUES, Bars, joined
from trading.events import BarClosed
from trading.instruments.clock import local_times

MINUTE = 60_000_000_000
BEGIN = 1_719_927_000 * 10**9
"""2024-07-02 13:30 UTC."""

PRICES = st.floats(1.0, 500.0)


def bar_at(minute: int, close: float, revision: int = 0, vwap: float | None = None) -> BarClosed:
    start = BEGIN + minute * MINUTE
    return BarClosed(
        symbol="AAPL", interval="1m", ts=start, open=close, high=close + 1, low=close - 1,
        close=close, volume=100.0, available_at=start + MINUTE, vwap=vwap, revision=revision,
    )  # fmt: skip


def history_of(bars: list[BarClosed]) -> History:
    """All of some bars at once, in order of time."""
    if not bars:
        none = np.empty(0, "datetime64[ns]")
        return History(Bars.empty("AAPL"), none, none.astype("datetime64[D]"), UNKNOWN)
    found = joined([bars_of([bar]) for bar in bars], "AAPL")
    ends = np.array([bar.available_at for bar in bars], "datetime64[ns]")
    days = local_times(found.timestamps).astype("datetime64[D]")
    return History(found, ends, days, UNKNOWN)


def check_equal(grown: History, whole: History) -> None:
    assert grown.bars.timestamps.tolist() == whole.bars.timestamps.tolist()
    assert grown.available_at.tolist() == whole.available_at.tolist()
    assert grown.dates.tolist() == whole.dates.tolist()
    for name in VALUES:
        assert getattr(grown.bars, name).tobytes() == getattr(whole.bars, name).tobytes()


@given(
    stored=st.lists(PRICES, max_size=5),
    told=st.lists(st.tuples(st.integers(5, 40), PRICES, st.integers(0, 3)), max_size=60),
    until=st.integers(-1, 45),
)
def test_it_is_the_history_of_the_latest_revisions_in_order_of_time(
    stored: list[float], told: list[tuple[int, float, int]], until: int
) -> None:
    lake = [bar_at(minute, close) for minute, close in enumerate(stored)]
    grown = GrowingHistory(history_of(lake))
    latest: dict[int, BarClosed] = {}
    for minute, close, revision in told:
        bar = bar_at(minute, close, revision, vwap=close if revision % 2 else None)
        grown.put(bar)
        if minute not in latest or latest[minute].revision <= revision:
            latest[minute] = bar
    live = [latest[minute] for minute in sorted(latest)]
    expected = [bar for bar in [*lake, *live] if bar.ts <= BEGIN + until * MINUTE]
    check_equal(grown.until(BEGIN + until * MINUTE), history_of(expected))


def test_more_bars_than_there_was_room_for_and_what_the_lake_gave_stays() -> None:
    lake = history_of([bar_at(minute, 100.0 + minute) for minute in range(3)])
    for name in VALUES:
        getattr(lake.bars, name).flags.writeable = False
    live = [bar_at(minute, 50.0 + minute) for minute in range(3, 1_200)]
    grown = GrowingHistory(lake, reversed(live[:10]))
    for bar in live[10:]:
        grown.put(bar)
    check_equal(
        grown.until(BEGIN + 1_199 * MINUTE),
        history_of([*(bar_at(minute, 100.0 + minute) for minute in range(3)), *live]),
    )


@pytest.mark.parametrize("name", ["bollinger_reversion", "macd_cross", "rsi_reversion"])
def test_signals_bar_by_bar_are_those_of_one_pass_over_all(name: str) -> None:
    one = LiveStrategy.named(name, "1m")
    rng = np.random.default_rng(7)
    closes = 100.0 + rng.normal(0.0, 1.0, 260).cumsum() / 10
    bars = [bar_at(minute, close) for minute, close in enumerate(closes.tolist())]

    def said(history: History) -> dict[str, np.ndarray]:
        made = signal_pass(
            history, one.interval, (), strategy=one.strategy, parameters=one.parameters, context={}
        )
        return {**made.columns, "signal": made.signal}

    whole = said(history_of(bars))
    grown = GrowingHistory(history_of(bars[:100]))
    for at, bar in enumerate(bars[100:], start=100):
        grown.put(bar)
        for column, values in said(grown.until(bar.ts)).items():
            assert values[-1].tobytes() == whole[column][at].tobytes(), (column, at)
    assert not math.isnan(whole["ema_169"][-1])
