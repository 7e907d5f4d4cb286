"""The market model as one strategy among others says what the main pipeline says."""

from __future__ import annotations

import numpy as np

from tests.markets import SMALL, bars_of, random_market, session_timestamps
from trading.bars.context import SPX, VIX
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.strategies.market_model.signals import analyze
from trading.strategies.market_model.strategy import COLUMNS, MarketModelStrategy


def test_it_is_the_analysis_of_the_closes() -> None:
    market = random_market(session_timestamps(5))
    aligned = bars_of(market)
    others = {name: np.full(len(aligned), np.nan) for name in VALUES if name != "close"}
    bars = Bars(
        symbol=aligned.contract, timestamps=aligned.timestamps, close=aligned.price, **others
    )
    context = {VIX: aligned.vix, SPX: aligned.spx}
    said = MarketModelStrategy().evaluate(bars, Interval.HOUR, context, SMALL)
    expected = analyze(aligned, SMALL)
    np.testing.assert_array_equal(said.signal, expected.signal)
    assert set(np.unique(said.signal)) == {-1, 0, 1}
    for name in COLUMNS:
        np.testing.assert_array_equal(said.columns[name], getattr(expected, name))


def test_it_warms_up_for_its_window() -> None:
    strategy = MarketModelStrategy()
    assert strategy.warm_up_bars(SMALL) == SMALL.beta_window
    assert strategy.parameters.model_validate({"beta_window": 30}).model_dump()["beta_window"] == 30
