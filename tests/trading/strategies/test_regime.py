from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.trading.random_bars import random_bars
from trading.arrays import Floats
from trading.bars.context import SPX, VIX
from trading.bars.intervals import Interval
from trading.bars.model import Bars
from trading.strategies.protocol import SIGNAL_NAMES, Context, Signals, Strategy
from trading.strategies.regime import MEMBERS, Member, RegimeParameters, RegimeStrategy
from trading.strategies.registry import BUILT_IN, strategy_named

STRATEGY: Strategy[RegimeParameters] = RegimeStrategy()
COUNT = 800


def vix_of(seed: int) -> Floats:
    """A VIX that is often on either side of 20, at times exactly there, at times unknown."""
    random = np.random.default_rng(seed)
    vix = np.round(20 + 4 * np.sin(np.arange(COUNT) / 40) + random.normal(0, 0.5, COUNT))
    vix[random.random(COUNT) < 0.05] = np.nan
    return vix


def context_of(seed: int) -> Context:
    return {VIX: vix_of(seed), SPX: random_bars(seed + 1, COUNT).close}


def of_member(bars: Bars, context: Context, member: Member) -> list[int]:
    strategy = strategy_named(member.strategy)
    parameters = strategy.parameters(**member.parameters)
    codes: list[int] = strategy.evaluate(
        bars, Interval.MINUTES_5, context, parameters
    ).signal.tolist()
    return codes


def evaluate(bars: Bars, context: Context, **parameters: Any) -> Signals:
    return STRATEGY.evaluate(bars, Interval.MINUTES_5, context, RegimeParameters(**parameters))


@pytest.mark.parametrize("calm", sorted(MEMBERS))
def test_the_vix_chooses_bar_by_bar(calm: str) -> None:
    bars, context = random_bars(3, COUNT, gaps=0.05), context_of(3)
    stressed = {"strategy": "macd_cross", "parameters": {"fast": 5, "slow": 9}}
    parameters = RegimeParameters(calm={"strategy": calm}, stressed=stressed, vix_threshold=20)
    found = STRATEGY.evaluate(bars, Interval.MINUTES_5, context, parameters)
    first, second = (
        of_member(bars, context, member) for member in (parameters.calm, parameters.stressed)
    )
    expected = [
        one if vix < 20 else other if vix >= 20 else 0
        for one, other, vix in zip(first, second, context[VIX].tolist(), strict=True)
    ]
    assert found.signal.tolist() == expected
    assert found.signal.dtype == np.int8
    regimes = [
        "calm" if vix < 20 else "stressed" if vix >= 20 else None for vix in context[VIX].tolist()
    ]
    assert found.columns["regime"].tolist() == regimes
    assert len(set(regimes)) == 3
    assert found.columns["calm_signal"].tolist() == [SIGNAL_NAMES[code] for code in first]
    assert found.columns["stressed_signal"].tolist() == [SIGNAL_NAMES[code] for code in second]
    assert set(found.signal.tolist()) == {-1, 0, 1}


@pytest.mark.parametrize("end", [0, 1, 169, 500])
def test_nothing_after_a_bar_changes_what_is_said_of_it(end: int) -> None:
    bars, context = random_bars(4, COUNT), context_of(4)
    whole = evaluate(bars, context)
    part = evaluate(bars[:end], {name: series[:end] for name, series in context.items()})
    assert whole.signal[:end].tobytes() == part.signal.tobytes()
    for name, values in whole.columns.items():
        np.testing.assert_array_equal(values[:end], part.columns[name])


def test_members_are_all_other_strategies_and_their_versions_count() -> None:
    # News are there for few symbols, so what needs them is no member.
    assert set(MEMBERS) == set(BUILT_IN) - {"regime", "news_sentiment"}
    for name, member in MEMBERS.items():
        assert f"{name}={member.version}" in STRATEGY.version.split()


def test_parameters_of_a_member_are_written_out() -> None:
    member = Member(strategy="macd_cross", parameters={"fast": 5})
    assert member.parameters == {"fast": 5, "slow": 26, "signal": 9}
    parameters = RegimeParameters(calm=member)
    again = RegimeParameters.model_validate_json(parameters.model_dump_json())
    assert again == parameters
    assert RegimeParameters() == RegimeParameters()
    assert STRATEGY.warm_up_bars(parameters) == 34
    with pytest.raises(ValueError, match="fast=30 is not below slow=26"):
        Member(strategy="macd_cross", parameters={"fast": 30})
    with pytest.raises(ValueError, match="Input should be"):
        Member(strategy="regime")
