"""The market model as one strategy among others says what the main pipeline says."""

from __future__ import annotations

import numpy as np

from tests.markets import SMALL, bars_of, random_market, session_timestamps
from trading.bars.context import SPX, VIX
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.strategies.market_model.parameters import StrategyParameters
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


def test_a_later_start_changes_nothing_from_the_warm_up_on_and_it_is_no_bar_too_long() -> None:
    """A return takes two prices, so `beta_window` of them take as many bars before the last."""
    strategy, parameters = MarketModelStrategy(), StrategyParameters()
    aligned = bars_of(random_market(session_timestamps(10)))
    whole, warm_up = analyze(aligned, parameters), strategy.warm_up_bars(parameters)
    starts = range(1, len(aligned) - warm_up)
    early = 0
    for start in starts:
        part = analyze(aligned[start:], parameters)
        for name in ("signal", *COLUMNS):
            np.testing.assert_array_equal(
                getattr(part, name)[warm_up:], getattr(whole, name)[start + warm_up :]
            )
        early += part.beta[warm_up - 1] != whole.beta[start + warm_up - 1]
    assert early == len(starts)


def test_its_parameters_are_the_main_pipelines() -> None:
    given = MarketModelStrategy().parameters.model_validate({"beta_window": 30})
    assert given == StrategyParameters(beta_window=30)
