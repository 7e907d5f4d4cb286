from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.indicators import loops
from tests.trading.random_bars import of_closes, random_bars
from trading.arrays import Floats
from trading.bars.model import Bars
from trading.indicators.averages import EMA, MACD, SMA, Bollinger
from trading.indicators.columns import COMMON, COMMON_COLUMNS, common_columns
from trading.indicators.indicator import Indicator
from trading.indicators.ranges import ATR, RSI
from trading.indicators.vwap import VWAP
from trading.instruments.clock import to_datetime

Plain = Callable[[Bars], tuple[list[float], ...]]


def closes(bars: Bars) -> list[float]:
    values: list[float] = bars.close.tolist()
    return values


def plain_atr(bars: Bars, n: int) -> list[float]:
    return loops.atr(bars.high.tolist(), bars.low.tolist(), closes(bars), n)


def plain_vwap(bars: Bars) -> list[float]:
    dates = [f"{to_datetime(stamp):%Y-%m-%d}" for stamp in bars.timestamps]
    typical = [
        own if np.isfinite(own) else (h + low + c) / 3
        for own, h, low, c in zip(bars.vwap, bars.high, bars.low, bars.close, strict=True)
    ]
    return loops.vwap(dates, typical, bars.volume.tolist())


CASES: list[tuple[Indicator, Plain]] = [
    *((EMA(n), lambda bars, n=n: (loops.ema(closes(bars), n),)) for n in (2, 8, 13, 169)),
    *((SMA(n), lambda bars, n=n: (loops.sma(closes(bars), n),)) for n in (2, 20, 50)),
    *((RSI(n), lambda bars, n=n: (loops.rsi(closes(bars), n),)) for n in (2, 14)),
    *((ATR(n), lambda bars, n=n: (plain_atr(bars, n),)) for n in (2, 14)),
    (MACD(), lambda bars: loops.macd(closes(bars), 12, 26, 9)),
    (MACD(3, 10, 4), lambda bars: loops.macd(closes(bars), 3, 10, 4)),
    (Bollinger(), lambda bars: loops.bollinger(closes(bars), 20, 2.0)),
    (Bollinger(5, 1.5), lambda bars: loops.bollinger(closes(bars), 5, 1.5)),
    (VWAP(), lambda bars: (plain_vwap(bars),)),
]
INDICATORS = [indicator for indicator, _ in CASES]


def having(bars: Bars, indicator: Indicator) -> npt.NDArray[np.bool_]:
    there = np.ones(len(bars), bool)
    for name in indicator.inputs:
        there &= np.isfinite(getattr(bars, name))
    return there


def assert_right(indicator: Indicator, plain: Plain, bars: Bars) -> None:
    """The indicator is that of the bars that are there, at their places, and null elsewhere."""
    there = having(bars, indicator)
    price = np.nanmax(bars.close, initial=0.0)
    for series, expected in zip(indicator.of(bars), plain(bars[there]), strict=True):
        assert len(series) == len(bars)
        assert np.isnan(series[~there]).all()
        np.testing.assert_allclose(series[there], expected, rtol=1e-9, atol=1e-14 * price)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 260),
    gaps=st.sampled_from([0.0, 0.1, 0.9]),
    scale=st.sampled_from([1e-6, 100.0, 1e9]),
    case=st.sampled_from(CASES),
)
def test_every_indicator_equals_plain_loops(
    seed: int, count: int, gaps: float, scale: float, case: tuple[Indicator, Plain]
) -> None:
    assert_right(*case, random_bars(seed, count, gaps, scale))


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[0]))
@pytest.mark.parametrize("count", [0, 1, 170, 400])
def test_every_indicator_equals_plain_loops_at_the_edges(
    case: tuple[Indicator, Plain], count: int
) -> None:
    for gaps in (0.0, 0.5, 1.0):
        assert_right(*case, random_bars(3, count, gaps))


@pytest.mark.parametrize("indicator", INDICATORS, ids=repr)
def test_the_first_value_comes_after_the_warm_up(indicator: Indicator) -> None:
    bars = random_bars(1, 200)
    for series in indicator.of(bars):
        assert np.isnan(series[: indicator.warm_up]).all()
        assert np.isfinite(series[indicator.warm_up :]).all()
    short = bars[: indicator.warm_up]
    assert all(np.isnan(series).all() for series in indicator.of(short))
    assert all(np.isfinite(series[-1]) for series in indicator.of(bars[: indicator.warm_up + 1]))


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    gaps=st.sampled_from([0.0, 0.1]),
    end=st.integers(0, 300),
    indicator=st.sampled_from(INDICATORS),
)
def test_truncation_after_a_bar_leaves_the_bits_up_to_it(
    seed: int, gaps: float, end: int, indicator: Indicator
) -> None:
    bars = random_bars(seed, 300, gaps)
    for whole, part in zip(indicator.of(bars), indicator.of(bars[:end]), strict=True):
        assert whole[:end].tobytes() == part.tobytes()


def theirs(bars: Bars) -> Iterator[tuple[Indicator, tuple[Floats, ...]]]:
    close = bars.close
    for n in (8, 12, 13, 144, 169):
        yield EMA(n), (talib.EMA(close, n),)
    yield SMA(20), (talib.SMA(close, 20),)
    yield RSI(14), (talib.RSI(close, 14),)
    yield MACD(), tuple(talib.MACD(close, 12, 26, 9))
    yield Bollinger(), tuple(talib.BBANDS(close, 20, 2.0, 2.0))
    yield ATR(14), (talib.ATR(bars.high, bars.low, close, 14),)


@pytest.mark.parametrize("seed", range(3))
def test_complete_data_give_what_ta_lib_gives(seed: int) -> None:
    bars = random_bars(seed, 1_000)
    for indicator, expected in theirs(bars):
        for series, other in zip(indicator.of(bars), expected, strict=True):
            np.testing.assert_allclose(series, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("price", [0.1, 100.0, 1e-6, 1e9, 33.3])
def test_flat_prices_have_themselves_as_mean_no_deviation_and_no_rsi(price: float) -> None:
    flat = of_closes([price] * 200)
    columns = common_columns(flat)
    for name, series in columns.items():
        expected = {"rsi_14": np.nan, "atr_14": 0.0}.get(name, 0.0 if "macd" in name else price)
        known = series[~np.isnan(series)] if name != "rsi_14" else series
        np.testing.assert_array_equal(known, np.full(len(known), expected), err_msg=name)
        assert len(known) >= 200 - 168
    moved = of_closes([*[price] * 40, price * 1.01])
    assert RSI(14).of(moved)[0][-1] == pytest.approx(100)
    assert np.isnan(RSI(14).of(moved)[0][:-1]).all()


def test_a_fall_after_flat_prices_is_an_rsi_of_0_and_stays_one() -> None:
    bars = of_closes([*[50.0] * 20, 49.0, *[49.0] * 100])
    (rsi,) = RSI(14).of(bars)
    assert np.isnan(rsi[:20]).all()
    assert (rsi[20:] == 0).all()


def test_a_price_that_left_the_window_leaves_no_trace() -> None:
    small = random_bars(2, 60, scale=1e-6).close
    bars = of_closes(np.append(np.full(30, 1e9), small))
    alone = of_closes(small)
    for indicator in (SMA(20), Bollinger()):
        for series, expected in zip(indicator.of(bars), indicator.of(alone), strict=True):
            assert series[-40:].tobytes() == expected[-40:].tobytes()


def test_one_missing_value_spoils_what_ta_lib_says_and_not_what_we_say() -> None:
    bars = random_bars(4, 100)
    bars.close[60] = np.nan
    assert np.isnan(talib.EMA(bars.close, 8)[-1])
    (ema,) = EMA(8).of(bars)
    assert np.flatnonzero(np.isnan(ema)).tolist() == [*range(7), 60]


def test_a_volume_weighted_price_needs_a_volume_and_begins_anew_each_session() -> None:
    bars = random_bars(5, 160)
    bars.volume[[0, 1, 78]] = 0
    bars.vwap[[3, 80]] = np.nan
    (vwap,) = VWAP().of(bars)
    assert np.flatnonzero(np.isnan(vwap)).tolist() == [0, 1, 78]
    assert vwap[79] == pytest.approx(bars.vwap[79])
    assert_right(VWAP(), lambda some: (plain_vwap(some),), bars)


def test_the_common_columns_are_those_of_gold() -> None:
    assert COMMON_COLUMNS == (
        "ema_8", "ema_12", "ema_13", "ema_144", "ema_169", "rsi_14", "macd", "macd_signal",
        "macd_histogram", "bollinger_upper", "bollinger_middle", "bollinger_lower", "atr_14",
    )  # fmt: skip
    bars = random_bars(6, 300, gaps=0.1)
    found = common_columns(bars)
    assert tuple(found) == COMMON_COLUMNS
    for indicator in COMMON:
        for name, series in zip(indicator.names, indicator.of(bars), strict=True):
            assert found[name].tobytes() == series.tobytes()


def test_the_input_is_left_as_it_was_and_nothing_warns() -> None:
    bars = random_bars(7, 300, gaps=0.2)
    before = bars.close.copy()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for indicator in INDICATORS:
            indicator.of(bars)
    np.testing.assert_array_equal(bars.close, before)


def test_periods_that_make_no_average_are_refused() -> None:
    for make in (EMA, SMA, RSI, ATR, Bollinger):
        with pytest.raises(ValueError, match="periods=1 is not at least 2 bars"):
            make(1)
    with pytest.raises(ValueError, match="fast=26 is not below slow=26"):
        MACD(26, 26)
    with pytest.raises(ValueError, match="signal=0 is not at least 2"):
        MACD(signal=0)


def test_settings_that_change_ta_libs_numbers_are_refused() -> None:
    bars = random_bars(8, 100)
    library: Any = talib
    library.set_unstable_period("EMA", 5)
    try:
        with pytest.raises(RuntimeError, match="unstable periods were changed"):
            EMA(8).of(bars)
    finally:
        library.set_unstable_period("EMA", 0)
    assert np.isfinite(EMA(8).of(bars)[0][-1])


def test_ta_lib_is_loaded_when_it_is_used() -> None:
    program = (
        "import sys, trading.indicators.columns, trading.strategies.registry as r\n"
        "r.strategy_named('regime')\n"
        "print([name for name in ('talib', 'pandas', 'polars') if name in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
