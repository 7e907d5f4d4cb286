"""The sentiment of an article: VADER's compound, with words of finance on top.

Hutto and Gilbert, VADER: A Parsimonious Rule-based Model for Sentiment Analysis of Social Media
Text, ICWSM 2014; the labels' limits are theirs.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.metadata import version
from typing import Literal

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from trading.news.lexicon import PHRASES, VERSION, WORDS

Label = Literal["positive", "neutral", "negative"]

LABEL_LIMIT = 0.05
"""From this compound on an article is positive, from its negative on negative."""

LONGEST = 4000
"""Characters of a text that are looked at."""

_SPACES = re.compile(r"\s+")
_PHRASE = re.compile(
    r"(?<![\w-])("
    + "|".join(re.escape(phrase) for phrase in sorted(PHRASES, key=len, reverse=True))
    + r")(?![\w-])",
    re.IGNORECASE,
)


def scorer() -> str:
    """What made a score, to be kept with it: another one makes other scores."""
    return f"vader-{version('vadersentiment')}+finance-{VERSION}"


def sentiment(title: str, description: str = "") -> float:
    """The sentiment of a text, from -1 to 1; 0 when it says nothing.

    Args:
        title: The headline.
        description: What follows it.
    """
    text = _SPACES.sub(" ", f"{title.strip()}. {description.strip()}")[:LONGEST]
    # As one word a phrase has a value of its own, and its words have none.
    marked = _PHRASE.sub(lambda found: _as_word(found.group().lower()), text)
    compound: float = _analyzer().polarity_scores(marked)["compound"]
    return compound


def label_of(score: float) -> Label:
    """What to call a score."""
    if score >= LABEL_LIMIT:
        return "positive"
    return "negative" if score <= -LABEL_LIMIT else "neutral"


def _as_word(phrase: str) -> str:
    return "_".join(re.split(r"[\s-]+", phrase))


@lru_cache(maxsize=1)
def _analyzer() -> SentimentIntensityAnalyzer:
    analyzer = SentimentIntensityAnalyzer()
    analyzer.lexicon.update(WORDS)
    analyzer.lexicon.update({_as_word(phrase): value for phrase, value in PHRASES.items()})
    return analyzer
