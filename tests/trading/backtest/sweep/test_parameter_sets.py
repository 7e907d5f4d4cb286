from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from trading.backtest.sweep.parameter_sets import Search, parameter_sets, set_text
from trading.errors import ParameterError
from trading.strategies.registry import BUILT_IN, strategy_named

RSI, MACD = strategy_named("rsi_reversion"), strategy_named("macd_cross")


def test_nothing_said_is_the_defaults_alone() -> None:
    (one,) = parameter_sets(RSI, Search()).sets
    assert one == RSI.parameters()
    assert set_text(one) == "defaults"


def test_a_grid_is_every_combination_once_the_last_parameter_first() -> None:
    grid = {"periods": [7, 14, 14], "oversold": [25, 30]}
    found = parameter_sets(RSI, Search(grid=grid))
    assert [set_text(one) for one in found.sets] == [
        "periods=7 oversold=25.0", "periods=7", "oversold=25.0", "defaults",
    ]  # fmt: skip
    assert found.left_out == ()


def test_combinations_that_do_not_go_together_are_left_out_and_told() -> None:
    found = parameter_sets(MACD, Search(grid={"fast": [10, 30], "slow": [20, 40]}))
    assert [set_text(one) for one in found.sets] == ["fast=10 slow=20", "fast=10 slow=40",
                                                     "fast=30 slow=40"]  # fmt: skip
    assert [text.partition(":")[0] for text in found.left_out] == ["fast=30 slow=20"]


@pytest.mark.parametrize(
    ("search", "said"),
    [
        (Search(grid={"periods": [7, 1]}), "parameters of rsi_reversion, periods=1 is not valid"),
        (Search(grid={"period": [7]}), "period=7 is not valid"),
        (Search(grid={"periods": []}), r"grid, periods=\[\] is not a list of values"),
        (Search(grid={"periods": 7}), "grid, periods=7 is not a list"),  # type: ignore[dict-item]
        (Search(grid={"periods": list(range(400)), "oversold": list(range(300))}), "at most"),
        (Search(grid={"oversold": [80], "overbought": [20]}), "one with a valid combination"),
        (Search(grid={"periods": [7]}, sample=3), "pass a grid or a sample, not both"),
        (Search(sample=0), "sample=0 is not from 1"),
    ],
)
def test_what_cannot_be_tried_is_refused(search: Search, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        parameter_sets(RSI, search)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 12), st.sampled_from(sorted(BUILT_IN)))
def test_a_sample_is_of_different_valid_sets_and_the_same_for_a_seed(
    seed: int, count: int, name: str
) -> None:
    strategy = strategy_named(name)
    found = parameter_sets(strategy, Search(sample=count, seed=seed)).sets
    assert len({one.model_dump_json() for one in found}) == count
    assert found == parameter_sets(strategy, Search(sample=count, seed=seed)).sets
    for one in found:
        try:
            assert strategy.parameters.model_validate(one.model_dump(mode="json")) == one
        except ValidationError as error:
            pytest.fail(str(error))


def test_another_seed_draws_others_near_the_defaults() -> None:
    one, other = (parameter_sets(RSI, Search(sample=20, seed=seed)).sets for seed in (1, 2))
    assert one != other
    assert all(7 <= found.periods <= 28 for found in (*one, *other))  # type: ignore[attr-defined]
