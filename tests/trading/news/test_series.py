"""News as a context series: the score as of any moment, from what was known by then."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trading.bars.context import NEWS
from trading.news.score import news_score
from trading.news.series import NewsSeries, half_life
from trading.strategies.news_sentiment import NewsSentimentParameters
from trading.strategies.rsi_reversion import RSIReversionParameters

START = np.datetime64("2024-01-02T09:00", "ns")
HOUR = np.timedelta64(3_600, "s")
ROWS = st.lists(
    st.tuples(st.integers(0, 99), st.integers(0, 400), st.floats(-1, 1)),
    max_size=30,
    unique_by=lambda row: row[0],
)


def series(rows: list[tuple[int, int, float]]) -> NewsSeries:
    return NewsSeries.of([(f"{name:02}", START + hour * HOUR, value) for name, hour, value in rows])


def moments(count: int) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return START + np.arange(count) * HOUR


@given(ROWS, st.integers(0, 400))
def test_what_is_known_later_changes_no_bit(rows: list[tuple[int, int, float]], now: int) -> None:
    everything = series(rows)
    known = everything.until(START + now * HOUR)
    assert len(known) == sum(hour <= now for _, hour, _ in rows)
    parameters = NewsSentimentParameters()
    found = everything.at(NEWS, moments(now + 1), parameters)
    assert known.at(NEWS, moments(now + 1), parameters).tobytes() == found.tobytes()


@given(ROWS, st.integers(0, 30))
def test_a_longer_past_changes_no_bit(rows: list[tuple[int, int, float]], cut: int) -> None:
    # Gold reads all there is and live perhaps less: what no longer counts must not show.
    everything = series(rows)
    late = everything[cut:]
    parameters = NewsSentimentParameters(news_half_life_hours=1)
    stamps = moments(500)
    old = stamps - 7 * HOUR >= (late.known_at[0] if len(late) else stamps[-1])
    assert (
        late.at(NEWS, stamps[old], parameters).tobytes()
        == everything.at(NEWS, stamps[old], parameters).tobytes()
    )


@given(ROWS, ROWS)
def test_an_article_keeps_what_was_first_said_of_it(
    first: list[tuple[int, int, float]], then: list[tuple[int, int, float]]
) -> None:
    union = {name: (hour, value) for name, hour, value in then}
    union |= {name: (hour, value) for name, hour, value in first}
    expected = sorted((hour, f"{name:02}", value) for name, (hour, value) in union.items())
    found = series(first).with_new(series(then))
    assert found.articles.tolist() == [name for _, name, _ in expected]
    assert found.values.tolist() == [value for _, _, value in expected]
    np.testing.assert_array_equal(found.known_at, [START + hour * HOUR for hour, _, _ in expected])
    assert found.with_new(series(then)) is found


def test_the_strategy_says_how_fast_news_age_if_it_says_anything() -> None:
    assert half_life(NewsSentimentParameters(news_half_life_hours=1.5)) == np.timedelta64(90, "m")
    assert half_life(RSIReversionParameters()) == np.timedelta64(24, "h")
    two = series([(1, 0, 1.0), (2, 6, -1.0)])
    found = two.at(NEWS, moments(9), NewsSentimentParameters(news_half_life_hours=6))
    expected = news_score(moments(9), two.known_at, two.values, 6 * HOUR)
    np.testing.assert_array_equal(found, expected)
    assert found[6] == (0.5 - 1) / 1.5


def test_without_articles_there_is_no_score() -> None:
    assert np.isnan(series([]).at(NEWS, moments(3), NewsSentimentParameters())).all()
