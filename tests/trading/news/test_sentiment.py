"""Headlines as a trader reads them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.news.lexicon import PHRASES, WORDS
from trading.news.sentiment import label_of, scorer, sentiment


@pytest.mark.parametrize(
    "title",
    [
        "Apple beats estimates, raises guidance",
        "Nvidia shares jump to record high after better-than-expected quarter",
        "Analysts upgrade Ford to overweight",
        "Losses narrow at Peloton",
        "Pfizer wins approval for its new drug",
        "Short interest falls in GameStop",
    ],
)
def test_good_news_are_positive(title: str) -> None:
    assert label_of(sentiment(title)) == "positive"


@pytest.mark.parametrize(
    "title",
    [
        "Short interest surges in Tesla",
        "Intel misses estimates and cuts guidance",
        "Boeing shares plunge after probe",
        "Moody's downgrades Carvana on default fears",
        "Losses widen at Rivian",
        "Company files for bankruptcy",
        "Drug fails trial; shares slump",
    ],
)
def test_bad_news_are_negative(title: str) -> None:
    assert label_of(sentiment(title)) == "negative"


@pytest.mark.parametrize(
    "title",
    [
        "Microsoft to report results on Tuesday",
        "Fund discloses shares in Coca-Cola",
        "Interest payments on the securities are due in May",
        "",
    ],
)
def test_what_says_nothing_is_neutral(title: str) -> None:
    assert label_of(sentiment(title)) == "neutral"


def test_a_description_counts_as_well() -> None:
    assert sentiment("Results are out", "The company misses estimates.") < -0.05


@pytest.mark.parametrize(
    ("score", "label"),
    [(0.05, "positive"), (0.049, "neutral"), (-0.049, "neutral"), (-0.05, "negative")],
)
def test_labels_begin_at_five_hundredths(score: float, label: str) -> None:
    assert label_of(score) == label


@given(st.text(max_size=200), st.text(max_size=200))
def test_a_score_is_between_minus_one_and_one_whatever_the_text(title: str, rest: str) -> None:
    assert -1.0 <= sentiment(title, rest) <= 1.0
    assert sentiment(title, rest) == sentiment(title, rest)


def test_the_lexicon_is_on_the_scale_of_vader_and_its_version_is_kept_with_scores() -> None:
    assert all(-4 <= value <= 4 for value in (*WORDS.values(), *PHRASES.values()))
    assert all(word == word.lower() for word in (*WORDS, *PHRASES))
    assert scorer().endswith("+finance-1")
    assert scorer().startswith("vader-3")
