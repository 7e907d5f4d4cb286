from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pydantic import BaseModel

from tests.trading.random_bars import random_bars
from trading.bars.context import NEWS, SPX, VIX
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.strategies.registry import BUILT_IN, checked_parameters, strategy_named

OWN = """
from pydantic import BaseModel
import numpy as np
from trading.strategies.protocol import Signals

class Parameters(BaseModel):
    level: float = 100.0

class Above:
    name = "above"
    version = "3"
    context = ()
    parameters = Parameters

    def warm_up_bars(self, parameters):
        return 0

    def evaluate(self, bars, interval, context, parameters):
        return Signals((bars.close > parameters.level).astype(np.int8))

class Twin(Above):
    name = "vegas_channel"

class Nameless(Above):
    name = "../above"

class Unversioned(Above):
    version = 3

class Contextual(Above):
    context = "VIX"

class Unmodelled(Above):
    parameters = {}

class Mute(Above):
    evaluate = None

class Demanding(Above):
    def __init__(self, level):
        self.level = level
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of a user's own on the path."""
    package = f"own_{tmp_path.name}".replace("-", "_")
    (tmp_path / package).mkdir()
    (tmp_path / package / "ideas.py").write_text(OWN)
    (tmp_path / package / "broken.py").write_text("raise OSError('no licence')")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    yield package
    for name in [name for name in sys.modules if name.startswith(package)]:
        del sys.modules[name]


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_built_in_strategy_is_what_the_protocol_says(name: str) -> None:
    strategy = strategy_named(name)
    assert strategy.name == name
    assert strategy.version
    parameters = strategy.parameters()
    bars = random_bars(1, 400)
    context = {
        VIX: np.linspace(15, 25, 400), SPX: random_bars(2, 400).close, NEWS: np.linspace(-1, 1, 400)
    }  # fmt: skip
    found = strategy.evaluate(bars, Interval.MINUTES_8, context, parameters)
    assert found.signal.dtype == np.int8
    assert found.signal.shape == (400,)
    assert set(found.signal.tolist()) <= {-1, 0, 1}
    # The market model's own is what its beta takes; its signal takes one bar before.
    warm_up = 1 if name == "market_model" else strategy.warm_up_bars(parameters)
    assert not found.signal[:warm_up].any()
    assert "signal" not in found.columns
    for values in found.columns.values():
        assert values.shape == (400,)
        assert values.dtype in (np.float64, np.bool_, np.int64, object)
    assert strategy.__doc__


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_parameter_has_a_description_an_example_and_limits(name: str) -> None:
    for field_name, field in strategy_named(name).parameters.model_fields.items():
        assert field.description, field_name
        assert field.description.endswith("."), field_name
        assert field.examples, field_name
        assert field.metadata or field.annotation not in (int, float), field_name


def test_a_class_of_ones_own_is_found_and_computes(module: str) -> None:
    strategy = strategy_named(f"{module}.ideas:Above")
    bars = random_bars(3, 50)
    parameters = checked_parameters(strategy, {"level": 99})
    found = strategy.evaluate(bars, Interval.DAY, {}, parameters)
    assert found.signal.tolist() == [int(close > 99) for close in bars.close.tolist()]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [
        (
            "vegas",
            "is not one of bollinger_reversion, macd_cross, market_model, news_sentiment",
        ),
        ("", "is not one of"),
        ("ideas:Above:x", "is not one of"),
        ("../ideas:Above", "is not one of"),
        ("nowhere_at_all:Above", "no module nowhere_at_all"),
        ("{module}.nowhere:Above", "no module {module}.nowhere"),
        ("{module}.ideas:Below", "has no attribute 'Below'"),
        ("{module}.broken:Above", "OSError: no licence"),
        ("{module}.ideas:Demanding", "TypeError: .*level"),
        ("{module}.ideas:Twin", "rename it, vegas_channel is taken"),
        ("{module}.ideas:Nameless", "its name '../above' is not"),
        ("{module}.ideas:Unversioned", "its version 3 is not a text"),
        ("{module}.ideas:Contextual", "its context 'VIX' is not a tuple"),
        ("{module}.ideas:Unmodelled", "its parameters are not a Pydantic model"),
        ("{module}.ideas:Mute", "it has no evaluate"),
    ],
)
def test_what_is_no_strategy_is_refused_in_one_sentence(
    module: str, reference: str, problem: str
) -> None:
    with pytest.raises(ParameterError, match=problem.format(module=module)) as raised:
        strategy_named(reference.format(module=module))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        (
            "macd_cross",
            {"fast": 1},
            "parameters of macd_cross, fast=1 is not valid: input should be greater than or equal",
        ),
        (
            "macd_cross",
            {"speed": 1},
            "speed=1 is not valid: extra inputs are not permitted; its parameters are fast, slow,",
        ),
        (
            "rsi_reversion",
            {"oversold": 90},
            "oversold=90.0 is not below overbought=70.0; lower it or raise the other; its",
        ),
        (
            "regime",
            {"calm": {"strategy": "macd_cross", "parameters": {"fast": 1}}},
            "greater than or equal to 2",
        ),
    ],
)
def test_parameters_that_are_not_allowed_are_refused_in_one_sentence(
    name: str, values: dict[str, object], message: str
) -> None:
    with pytest.raises(ParameterError) as raised:
        checked_parameters(strategy_named(name), values)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_parameters_that_are_left_out_have_their_defaults() -> None:
    strategy = strategy_named("rsi_reversion")
    make: Callable[..., BaseModel] = strategy.parameters
    assert checked_parameters(strategy, {"periods": 7}) == make(periods=7)
