from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import BaseModel

from tests.trading.backtest.markets import clock_of
from trading.arrays import Floats
from trading.backtest.look_ahead import LookAhead, look_ahead
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, Bars
from trading.errors import DataError
from trading.strategies.protocol import Context, Signals
from trading.strategies.registry import BUILT_IN, strategy_named
from trading.strategies.settling import settled_bars

COUNT = 120


class Nothing(BaseModel):
    """No parameters."""


class Planted(ABC):
    """A strategy that buys above its own level and sells below; the level is the subclass's."""

    name = "planted"
    version = "1"
    context: tuple[str, ...] = ()
    parameters = Nothing

    def warm_up_bars(self, parameters: Nothing) -> int:
        del parameters
        return 10

    def evaluate(
        self, bars: Bars, interval: Interval, context: Context, parameters: Nothing
    ) -> Signals:
        del interval, context, parameters
        return Signals(np.nan_to_num(np.sign(self.score(bars))).astype(np.int8))

    @abstractmethod
    def score(self, bars: Bars) -> Floats:
        """The level of each bar."""


def mean_of(values: Floats, window: int) -> Floats:
    mean = np.full(len(values), np.nan)
    if len(values) >= window:
        mean[window - 1 :] = np.lib.stride_tricks.sliding_window_view(values, window).mean(axis=1)
    return mean


class Honest(Planted):
    def score(self, bars: Bars) -> Floats:
        return bars.close - mean_of(bars.close, 10)


class PeeksOneBar(Planted):
    def score(self, bars: Bars) -> Floats:
        return np.append(np.diff(bars.close), 0.0)


class PeeksWithinAView(Planted):
    """Reads past the end of what it was given, through the array that this is a view of."""

    def score(self, bars: Bars) -> Floats:
        base = bars.close if bars.close.base is None else bars.close.base
        peeked: Floats = np.append(np.diff(base), 0.0)[: len(bars)]
        return peeked


class UsesTheDaysCloseAtNoon(Planted):
    def score(self, bars: Bars) -> Floats:
        days = bars.timestamps.astype("datetime64[D]")
        last = np.searchsorted(days, days, side="right") - 1
        return bars.close[last] - bars.open


class NormalisesOverTheWholeSample(Planted):
    def score(self, bars: Bars) -> Floats:
        score: Floats = (bars.close - bars.close.mean()) / (bars.close.std() + 1e-9)
        return score


class NormalisesAColumn(Honest):
    """Its signals are honest; what it stores beside them is not."""

    def evaluate(
        self, bars: Bars, interval: Interval, context: Context, parameters: Nothing
    ) -> Signals:
        signals = super().evaluate(bars, interval, context, parameters)
        return Signals(signals.signal, {"share": bars.volume / bars.volume.sum()})


class NeedsMoreThanItSays(Planted):
    def score(self, bars: Bars) -> Floats:
        return bars.close - mean_of(bars.close, 30)


class Counts(Planted):
    """Signals by the number of bars since the first one that there is."""

    def score(self, bars: Bars) -> Floats:
        return np.where(np.arange(len(bars)) % 7 == 0, 1.0, 0.0)


def random_bars(count: int = COUNT) -> Bars:
    rng = np.random.default_rng(11)
    table: npt.NDArray[np.float64] = 100 + rng.normal(0, 0.5, (len(VALUES), count)).cumsum(axis=1)
    stamps = clock_of(count).starts.view("datetime64[ns]")
    return Bars(
        symbol="AAPL",
        timestamps=stamps,
        **{name: row.copy() for name, row in zip(VALUES, table, strict=True)},
    )


def checked(strategy: Planted) -> LookAhead:
    return look_ahead(strategy, Nothing(), random_bars(), Interval.HOUR, {})


@pytest.mark.parametrize(
    ("strategy", "what"),
    [
        (PeeksOneBar(), "signal"),
        (UsesTheDaysCloseAtNoon(), "signal"),
        (NormalisesOverTheWholeSample(), "signal"),
        (NormalisesAColumn(), "column share"),
    ],
)
def test_a_strategy_that_looks_ahead_is_caught(strategy: Planted, what: str) -> None:
    found = checked(strategy)
    assert [finding.what for finding in found.future] == [what]
    assert not found.is_clean
    finding = found.future[0]
    assert finding.with_less != finding.with_all
    assert finding.timestamp <= finding.seen_until


def test_the_future_cannot_be_reached_through_a_view() -> None:
    assert checked(PeeksWithinAView()).future


@pytest.mark.parametrize("strategy", [NeedsMoreThanItSays(), Counts()])
def test_a_strategy_that_needs_more_bars_than_it_says_is_caught(strategy: Planted) -> None:
    found = checked(strategy)
    assert not found.future
    assert [finding.what for finding in found.warm_up] == ["signal"]


def test_an_honest_strategy_passes_at_every_bar() -> None:
    found = checked(Honest())
    assert found.is_clean
    assert found.bars == COUNT
    assert found.warm_ups > 1


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_shipped_strategies_pass(name: str) -> None:
    strategy = strategy_named(name)
    small = {
        "market_model": {"beta_window": 10, "beta_min_periods": 5},
        "vegas_channel": {"short_fast": 2, "short_slow": 3, "long_fast": 5, "long_slow": 8,
                          "lost_window": 5, "repeat_bars": 4},
        "vegas_tunnel": {"filter_periods": 2, "fast": 5, "slow": 8},
        "macd_cross": {"fast": 3, "slow": 6, "signal": 4},
        "rsi_reversion": {"periods": 5},
        "regime": {"calm": {"strategy": "rsi_reversion", "parameters": {"periods": 5}},
                   "stressed": {"strategy": "macd_cross", "parameters": {"slow": 6, "fast": 3,
                                                                         "signal": 4}}},
    }  # fmt: skip
    parameters = strategy.parameters.model_validate(small.get(name, {}))
    bars = random_bars(480)
    context = {"VIX": 20 + 5 * np.sin(np.arange(len(bars))), "SPX": bars.open * 40}
    context["NEWS"] = np.where(np.arange(len(bars)) % 9, np.sin(np.arange(len(bars))), np.nan)
    found = look_ahead(strategy, parameters, bars, Interval.HOUR, context, ends=100)
    assert found.is_clean, found
    assert (found.bars, found.warm_ups > 1) == (100, True)
    signals = strategy.evaluate(bars, Interval.HOUR, context, parameters).signal
    assert len(np.unique(signals[settled_bars(strategy, parameters) :])) > 1
    # Without the bars in which it settles, a recursive one would not pass.
    if hasattr(strategy, "settled_bars"):
        assert settled_bars(strategy, parameters) > strategy.warm_up_bars(parameters)


def test_a_history_cut_at_its_last_bars_alone_still_shows_a_peek() -> None:
    bars = random_bars(COUNT)
    found = look_ahead(PeeksOneBar(), Nothing(), bars, Interval.HOUR, {}, ends=5)
    assert found.bars == 5
    assert found.future


def test_what_a_strategy_raises_is_told_with_its_line() -> None:
    class Raises(Planted):
        def score(self, bars: Bars) -> Floats:
            return bars.close / [0]

    with (
        np.errstate(divide="raise"),
        pytest.raises(DataError, match=r"line \d+ of test_look_ahead"),
    ):
        checked(Raises())
