from __future__ import annotations

import json
import math
from decimal import Decimal

import numpy as np
import pytest

from tests.trading.backtest.sweep.test_replay import course
from trading.arrays import Floats
from trading.backtest.deflated_sharpe import Moments, deflated_sharpe
from trading.backtest.sweep.ranking import Parts, Ranking, SetResult, split_row


def parts_of(returns: Floats, held_back: float = 0.25) -> Parts:
    equity = 100 * np.cumprod(1 + returns)
    return Parts.of(course(list(range(1, len(equity) + 1)), equity.tolist()), held_back, 252.0)


def set_of(name: str, returns: Floats) -> SetResult:
    return SetResult(
        parameters={"name": name}, name=name, final_equity=Decimal(1), fills=1, fees=Decimal(0),
        parts=parts_of(returns),
    )  # fmt: skip


def test_sets_are_ranked_by_what_was_not_held_back() -> None:
    chance = np.random.default_rng(3)
    noise = chance.normal(0, 0.01, 400)
    lucky_later = noise.copy()
    lucky_later[300:] += 0.05
    steady = noise + 0.002
    flat = np.zeros(400)
    found = Ranking.of(
        [set_of("later", lucky_later), set_of("flat", flat), set_of("steady", steady)], 7
    )
    assert [one.name for one in found.results] == ["steady", "later", "flat"]
    best = found.results[0].parts
    assert best.out_of_sample.sharpe < found.results[1].parts.out_of_sample.sharpe
    sharpes = [one.parts.moments.sharpe for one in found.results]
    expected = deflated_sharpe(Moments.of(best_returns(steady)), sharpes, 7)
    assert found.deflated_sharpe == pytest.approx(expected, rel=1e-9)
    more = Ranking.of(found.results, 1_000)
    assert more.deflated_sharpe < found.deflated_sharpe


def best_returns(returns: Floats) -> Floats:
    """Those in sample; the first row of `course` has none."""
    inside = returns[:300].copy()
    inside[0] = 0.0
    return inside


def test_nothing_is_ranked_where_there_is_no_result() -> None:
    found = Ranking.of([], 5)
    assert found.results == ()
    assert math.isnan(found.deflated_sharpe)


def test_parts_survive_json_with_null_for_what_is_not_defined() -> None:
    for returns in (np.zeros(20), np.random.default_rng(1).normal(0, 0.01, 40)):
        parts = parts_of(returns)
        text = json.dumps(parts.as_json(), allow_nan=False)
        again = Parts.of_json(json.loads(text))
        assert again.as_json() == parts.as_json()
        assert again.moments.count == parts.moments.count
    assert math.isnan(parts_of(np.zeros(20)).in_sample.sharpe)


@pytest.mark.parametrize(
    ("count", "share", "row"), [(10, 0.3, 7), (11, 0.3, 8), (2, 0.9, 1), (3, 0.01, 2)]
)
def test_both_parts_have_a_row_and_the_held_back_one_is_never_too_long(
    count: int, share: float, row: int
) -> None:
    assert split_row(count, share) == row


def test_one_row_cannot_be_divided() -> None:
    with pytest.raises(ValueError, match="1 rows cannot be divided"):
        split_row(1, 0.5)
