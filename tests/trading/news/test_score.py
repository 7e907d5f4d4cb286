"""A symbol's score as of a moment: the formula, and no look ahead."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.arrays import Floats, Timestamps
from trading.news.score import MAX_HALF_LIVES, news_score

HOUR = np.timedelta64(3600, "s").astype("timedelta64[ns]")
START = np.datetime64("2024-01-02T09:00", "ns")
ARTICLES = st.lists(st.tuples(st.integers(0, 200), st.floats(-1, 1)), max_size=20).map(sorted)


def hours(counts: list[int]) -> Timestamps:
    stamps: Timestamps = START + np.array(counts, "int64") * HOUR
    return stamps


def score(at: list[int], articles: list[tuple[int, float]], half_life: int = 4) -> Floats:
    times, values = [t for t, _ in articles], [s for _, s in articles]
    return news_score(hours(at), hours(times), np.array(values, float), half_life * HOUR)


def test_an_article_of_one_half_life_weighs_half() -> None:
    found = score([0, 4, 5], [(0, 1.0), (4, -1.0)])
    np.testing.assert_allclose(found, [1.0, -1 / 3, -1 / 3])


def test_an_article_counts_from_its_moment_on_until_it_is_old() -> None:
    last = 4 * MAX_HALF_LIVES
    found = score([9, 10, 10 + last - 1, 10 + last], [(10, 0.5)])
    np.testing.assert_array_equal(found, [np.nan, 0.5, 0.5, np.nan])


@given(ARTICLES, st.lists(st.integers(0, 260), min_size=1, max_size=20))
def test_it_is_the_formula(articles: list[tuple[int, float]], at: list[int]) -> None:
    found = score(at, articles)
    for value, moment in zip(found, at, strict=True):
        counted = [(t, s) for t, s in articles if moment - 4 * MAX_HALF_LIVES < t <= moment]
        weights = [2.0 ** ((t - moment) / 4) for t, _ in counted]
        if not counted:
            assert math.isnan(value)
            continue
        expected = sum(w * s for w, (_, s) in zip(weights, counted, strict=True)) / sum(weights)
        assert value == pytest.approx(expected, abs=1e-12)


@given(ARTICLES, st.integers(0, 200), st.lists(st.floats(-1, 1), max_size=5))
def test_what_comes_later_changes_nothing(
    articles: list[tuple[int, float]], now: int, later: list[float]
) -> None:
    known = [(t, s) for t, s in articles if t <= now]
    at = list(range(now + 1))
    with_future = sorted([*articles, *((now + 1, s) for s in later)])
    np.testing.assert_array_equal(score(at, with_future), score(at, known))


def test_articles_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="not in order"):
        score([1], [(5, 0.1), (1, 0.1)])
    with pytest.raises(ValueError, match="half-life"):
        score([1], [(1, 0.1)], half_life=0)


def test_no_stamps_are_no_scores() -> None:
    assert score([], [(1, 0.5)]).shape == (0,)
