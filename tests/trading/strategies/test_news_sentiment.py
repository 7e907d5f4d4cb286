"""News sentiment: two levels of a score, and no opinion without one."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from tests.trading.random_bars import random_bars
from trading.backtest.look_ahead import look_ahead
from trading.bars.context import NEWS
from trading.bars.intervals import Interval
from trading.strategies.news_sentiment import NewsSentimentParameters, NewsSentimentStrategy

STRATEGY = NewsSentimentStrategy()
SCORES = np.array([np.nan, 0.2, 0.19, 0.0, -0.19, -0.2, np.nan, -1.0, 1.0])


def signals(scores: np.ndarray[tuple[int], np.dtype[np.float64]], **levels: float) -> list[int]:
    bars = random_bars(1, len(scores))
    parameters = NewsSentimentParameters(**levels)
    found = STRATEGY.evaluate(bars, Interval.HOUR, {NEWS: scores}, parameters)
    np.testing.assert_array_equal(found.columns["news_score"], scores)
    said: list[int] = found.signal.tolist()
    return said


def test_it_buys_above_one_level_and_sells_below_another() -> None:
    assert signals(SCORES) == [0, 1, 0, 0, 0, -1, 0, -1, 1]
    assert signals(SCORES, buy_from=0.0, sell_from=-0.5) == [0, 1, 1, 1, 0, 0, 0, -1, 1]


def test_without_news_it_holds_whatever_the_levels() -> None:
    nothing = np.full(5, np.nan)
    assert signals(nothing, buy_from=-0.9, sell_from=-1.0) == [0] * 5
    # A score of zero is an opinion, and none is not zero.
    assert signals(np.zeros(1), buy_from=-0.9, sell_from=-1.0) == [1]


def test_it_holds_at_a_missing_bar() -> None:
    bars = random_bars(2, 200, gaps=0.3)
    found = STRATEGY.evaluate(bars, Interval.HOUR, {NEWS: np.ones(200)}, NewsSentimentParameters())
    missing = np.isnan([bars.open, bars.high, bars.low, bars.close]).any(axis=0)
    assert 0 < missing.sum() < 200
    np.testing.assert_array_equal(found.signal, np.where(missing, 0, 1))


def test_it_does_not_look_ahead() -> None:
    scores = np.clip(np.random.default_rng(3).normal(0, 0.4, 120), -1, 1)
    scores[::7] = np.nan
    parameters = NewsSentimentParameters()
    found = look_ahead(STRATEGY, parameters, random_bars(4, 120), Interval.HOUR, {NEWS: scores})
    assert found.is_clean
    assert found.warm_ups > 0


def test_the_levels_ascend() -> None:
    with pytest.raises(ValidationError, match=r"sell_from=0.3 is not below buy_from=0.3"):
        NewsSentimentParameters(sell_from=0.3, buy_from=0.3)
