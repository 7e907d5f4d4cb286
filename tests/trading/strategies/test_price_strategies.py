from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.random_bars import of_closes, present, random_bars
from tests.trading.strategies import literal, sample_stocks
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.strategies.bollinger_reversion import (
    BollingerReversionParameters,
    BollingerReversionStrategy,
)
from trading.strategies.crossings import cross_above, cross_below
from trading.strategies.macd_cross import MACDCrossParameters, MACDCrossStrategy
from trading.strategies.protocol import SIGNAL_NAMES, Signals, Strategy
from trading.strategies.rsi_reversion import RSIReversionParameters, RSIReversionStrategy
from trading.strategies.vegas_tunnel import VegasTunnelParameters, VegasTunnelStrategy

Literal = Callable[[Sequence[float]], list[str]]

CASES: list[tuple[Strategy[Any], Literal]] = [
    (VegasTunnelStrategy(), literal.vegas_tunnel),
    (RSIReversionStrategy(), literal.rsi_reversion),
    (MACDCrossStrategy(), literal.macd_cross),
    (BollingerReversionStrategy(), literal.bollinger_reversion),
]
cases = pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].name)


def evaluate(strategy: Strategy[Any], bars: Bars, **parameters: Any) -> Signals:
    return strategy.evaluate(bars, Interval.MINUTES_5, {}, strategy.parameters(**parameters))


def names(signals: Signals) -> list[str]:
    return [SIGNAL_NAMES[code] for code in signals.signal.tolist()]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 600),
    gaps=st.sampled_from([0.0, 0.1, 0.6]),
    scale=st.sampled_from([1e-6, 100.0, 1e9]),
    case=st.sampled_from(CASES),
)
def test_random_bars_give_what_the_literal_version_gives(
    seed: int, count: int, gaps: float, scale: float, case: tuple[Strategy[Any], Literal]
) -> None:
    strategy, plain = case
    bars = random_bars(seed, count, gaps, scale)
    found, there = evaluate(strategy, bars), present(bars)
    said = np.array(names(found), object)
    assert said[there].tolist() == plain(bars.close[there].tolist())
    assert set(said[~there].tolist()) <= {"hold"}
    for values in found.columns.values():
        assert np.isnan(values[~there]).all()


@cases
@pytest.mark.parametrize("symbol", sample_stocks.SYMBOLS)
def test_real_stocks_give_what_the_literal_version_gives(
    case: tuple[Strategy[Any], Literal], symbol: str
) -> None:
    strategy, plain = case
    bars = sample_stocks.daily(symbol)
    found = names(evaluate(strategy, bars))
    assert found == plain(bars.close.tolist())
    if symbol != "FB":
        assert {"buy", "sell"} <= set(found)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    gaps=st.sampled_from([0.0, 0.1]),
    end=st.integers(0, 500),
    case=st.sampled_from(CASES),
)
def test_nothing_after_a_bar_changes_what_is_said_of_it(
    seed: int, gaps: float, end: int, case: tuple[Strategy[Any], Literal]
) -> None:
    bars = random_bars(seed, 500, gaps)
    whole, part = evaluate(case[0], bars), evaluate(case[0], bars[:end])
    assert whole.signal[:end].tobytes() == part.signal.tobytes()
    for name, values in whole.columns.items():
        assert values[:end].tobytes() == part.columns[name].tobytes()


@cases
def test_nothing_is_signalled_before_the_warm_up(case: tuple[Strategy[Any], Literal]) -> None:
    strategy = case[0]
    warm_up = strategy.warm_up_bars(strategy.parameters())
    first = [
        int(np.flatnonzero(signal)[0])
        for seed in range(300)
        if (signal := evaluate(strategy, random_bars(seed, warm_up + 40)).signal).any()
    ]
    assert min(first) >= warm_up
    # It is as short as it can be: the tunnel's crossing of its filter takes its time.
    assert min(first) <= warm_up + 5


@cases
@pytest.mark.parametrize("price", [0.1, 33.3])
def test_a_price_that_never_moves_is_held(
    case: tuple[Strategy[Any], Literal], price: float
) -> None:
    assert not evaluate(case[0], of_closes([price] * 300)).signal.any()
    assert len(evaluate(case[0], of_closes([price])).signal) == 1


def test_a_crossing_leaves_from_the_other_side_or_from_equality() -> None:
    level = np.full(6, 1.0)
    series = np.array([0.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    assert np.flatnonzero(cross_above(series, level)).tolist() == [2]
    assert np.flatnonzero(cross_below(series, level)).tolist() == [5]
    assert np.flatnonzero(cross_below(np.array([2.0, np.nan, 0.0, 1.0, 0.5]), 1.0)).tolist() == [4]
    assert cross_above(np.empty(0), np.empty(0)).tolist() == []


def test_bars_that_say_both_are_held() -> None:
    # Two closes: the bands are so wide that the second is inside both.
    found = evaluate(BollingerReversionStrategy(), of_closes([5.0, 5.0, 6.0]), periods=2)
    assert names(found) == ["hold"] * 3


@pytest.mark.parametrize(
    ("model", "values", "problem"),
    [
        (VegasTunnelParameters, {"slow": 100}, "12, 144, 100 do not ascend"),
        (RSIReversionParameters, {"oversold": 80}, "oversold=80.0 is not below overbought=70.0"),
        (MACDCrossParameters, {"fast": 30}, "fast=30 is not below slow=26"),
        (BollingerReversionParameters, {"deviations": float("inf")}, "finite number"),
        (BollingerReversionParameters, {"period": 3}, "Extra inputs"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(
    model: Callable[..., object], values: dict[str, float], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        model(**values)
