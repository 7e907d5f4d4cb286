from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.random_bars import of_closes, present, random_bars
from tests.trading.strategies import literal, sample_stocks
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.strategies.protocol import SIGNAL_NAMES, Signals
from trading.strategies.vegas_channel.parameters import VegasChannelParameters
from trading.strategies.vegas_channel.strategy import VegasChannelStrategy, without_repeats

STRATEGY, DEFAULT = VegasChannelStrategy(), VegasChannelParameters()

intervals = st.sampled_from(list(Interval))


def number(interval: Interval) -> int:
    return interval.minutes if interval.is_intraday else interval.sessions


def evaluate(bars: Bars, interval: Interval, **parameters: Any) -> Signals:
    return STRATEGY.evaluate(bars, interval, {}, VegasChannelParameters(**parameters))


def assert_literal(bars: Bars, interval: Interval) -> Signals:
    """Whether all columns are what the literal version says of the bars that are there."""
    found, there = evaluate(bars, interval), present(bars)
    start, low, close = (getattr(bars[there], name).tolist() for name in ("open", "low", "close"))
    expected = literal.vegas_channel(start, low, close, number(interval))
    columns = {name: values[there].tolist() for name, values in found.columns.items()}
    assert tuple(columns) == ("status", "lost", "accelerated", "decelerated", "ema_touch")
    assert columns["status"] == expected.status
    np.testing.assert_array_equal(columns["lost"], expected.lost)
    assert columns["accelerated"] == expected.accelerated
    assert columns["decelerated"] == expected.decelerated
    assert columns["ema_touch"] == expected.touch
    assert [SIGNAL_NAMES[code] for code in found.signal[there].tolist()] == expected.signal
    assert not found.signal[~there].any()
    assert set(found.columns["status"][~there].tolist()) <= {None}
    assert set(found.columns["ema_touch"][~there].tolist()) <= {None}
    assert np.isnan(found.columns["lost"][~there]).all()
    return found


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 700),
    gaps=st.sampled_from([0.0, 0.05, 0.5]),
    scale=st.sampled_from([1e-6, 100.0, 1e9]),
    interval=intervals,
)
def test_random_bars_give_what_the_literal_version_gives(
    seed: int, count: int, gaps: float, scale: float, interval: Interval
) -> None:
    assert_literal(random_bars(seed, count, gaps, scale), interval)


def test_every_status_signal_and_touch_occurs_on_random_bars() -> None:
    seen: Counter[object] = Counter()
    for seed in range(6):
        found = assert_literal(random_bars(seed, 3_000), Interval.MINUTES_21)
        for name in ("status", "ema_touch", "accelerated", "decelerated"):
            seen.update((name, value) for value in found.columns[name].tolist())
        seen.update(("signal", code) for code in found.signal.tolist())
    names: dict[str, list[object]] = {
        "status": [None, "maintained", "weak", "loss", "negotiating"],
        "ema_touch": [None, "support", "resistance", "neutral"],
        "accelerated": [False, True],
        "decelerated": [False, True],
        "signal": [-1, 0, 1],
    }
    assert {key for key, count in seen.items() if count > 2} == {
        (name, value) for name, values in names.items() for value in values
    }


@pytest.mark.parametrize("interval", list(Interval))
def test_every_interval_has_its_own_window_and_tolerance(interval: Interval) -> None:
    assert_literal(random_bars(5, 900), interval)
    assert_literal(random_bars(5, 600, volatility=0.05), interval)


@pytest.mark.parametrize("symbol", sample_stocks.SYMBOLS)
@pytest.mark.parametrize("interval", [Interval.DAY, Interval.DAYS_5, Interval.DAYS_34])
def test_real_stocks_give_what_the_literal_version_gives(symbol: str, interval: Interval) -> None:
    found = assert_literal(sample_stocks.daily(symbol), interval)
    # FB's two years were no loss, and it made no late start.
    assert found.signal.any() or symbol == "FB"


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    gaps=st.sampled_from([0.0, 0.1]),
    end=st.integers(0, 600),
    interval=intervals,
)
def test_nothing_after_a_bar_changes_what_is_said_of_it(
    seed: int, gaps: float, end: int, interval: Interval
) -> None:
    bars = random_bars(seed, 600, gaps)
    whole, part = evaluate(bars, interval), evaluate(bars[:end], interval)
    assert whole.signal[:end].tobytes() == part.signal.tobytes()
    for name, values in whole.columns.items():
        if values.dtype == object:
            assert values[:end].tolist() == part.columns[name].tolist()
        else:
            assert values[:end].tobytes() == part.columns[name].tobytes()


def test_status_begins_with_the_slowest_average() -> None:
    found = evaluate(random_bars(1, 169), Interval.MINUTES_21)
    status = found.columns["status"].tolist()
    assert status[:-1] == [None] * STRATEGY.warm_up_bars(DEFAULT) == [None] * 168
    assert status[-1] is not None
    # Of fewer bars than the window has, none counts the lost ones.
    assert np.isnan(found.columns["lost"]).all()


@pytest.mark.parametrize("price", [0.1, 33.3, 100.0])
def test_a_price_that_never_moves_is_held(price: float) -> None:
    found = evaluate(of_closes([price] * 400), Interval.MINUTE)
    assert set(found.columns["status"][168:].tolist()) == {"negotiating"}
    assert set(found.columns["ema_touch"][168:].tolist()) == {"neutral"}
    assert not found.signal.any()
    assert found.columns["lost"][-1] == 28


def test_a_repeat_is_dropped_and_keeps_the_next_one_from_counting() -> None:
    def kept(*at: int) -> list[int]:
        found = np.zeros(200, bool)
        found[list(at)] = True
        return np.flatnonzero(without_repeats(found, 30)).tolist()

    assert kept() == []
    assert kept(0) == [0]
    assert kept(5, 35) == [5]
    assert kept(5, 36) == [5, 36]
    # 60 is 30 after 30, which was dropped itself.
    assert kept(5, 30, 60, 91) == [5, 91]


def test_parameters_take_the_place_of_the_interval() -> None:
    bars = random_bars(2, 1_500)
    usual = evaluate(bars, Interval.MINUTES_21)
    same = evaluate(bars, Interval.MINUTE, lost_window=7, touch_tolerance=0.02)
    assert same.columns["ema_touch"].tolist() == usual.columns["ema_touch"].tolist()
    np.testing.assert_array_equal(same.columns["lost"], usual.columns["lost"])
    np.testing.assert_array_equal(same.signal, usual.signal)
    assert evaluate(bars, Interval.MINUTES_21, repeat_bars=0).columns["accelerated"].sum() > (
        usual.columns["accelerated"].sum()
    )
    faster = evaluate(bars, Interval.MINUTES_21, long_fast=20, long_slow=30)
    assert faster.columns["status"][29] is not None
    assert faster.columns["status"][28] is None


def test_periods_in_another_order_are_refused() -> None:
    with pytest.raises(ValueError, match="8, 13, 169, 144 do not ascend; order them as"):
        VegasChannelParameters(long_fast=169, long_slow=144)
