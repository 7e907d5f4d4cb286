"""News of one symbol as gold reads them: what was known, and the hash of each of its beginnings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from lake.gold.history import Beginnings, running_digests
from lake.news.articles import has_news, read_news
from storage.directory import Directory
from trading.bars.context import NEWS
from trading.errors import ParameterError
from trading.instruments.calendar import Dates, sessions
from trading.news.series import NewsSeries

_NEXT_SESSION = timedelta(days=14)
"""Longer than the exchange was ever closed since 1933."""


@dataclass(frozen=True, slots=True, eq=False)
class NewsHistory:
    """What there is of news about one symbol.

    Attributes:
        series: The articles' sentiments.
        beginnings: Their running hash, each under the first session that could act on it.
    """

    series: NewsSeries
    beginnings: Beginnings


def read_news_history(directory: Directory, symbol: str, strategy: str) -> NewsHistory:
    """The news of a symbol; those that no bar can know take no part.

    A symbol without any is one of which nothing is said; a lake without any has not been filled.

    Raises:
        ContentError: A file is damaged.
        ParameterError: The lake has no news of any symbol, which the strategy needs.
        StorageError: A file cannot be read.
    """
    series = read_news(directory, symbol)
    if not len(series) and not has_news(directory):
        raise ParameterError(
            "strategy",
            strategy,
            f"one whose series are all in the lake: it needs {NEWS}, and the lake at "
            f"{directory.url} has no news",
            "fill it with trading news fetch, or choose a strategy that needs prices alone",
        )
    return NewsHistory(series, _beginnings(series))


def _beginnings(series: NewsSeries) -> Beginnings:
    moments = series.known_at.astype("datetime64[us]").view(np.int64).tolist()
    rows = zip(series.articles.tolist(), moments, series.values.tolist(), strict=True)
    texts = [f"{article} {moment} {value.hex()}" for article, moment, value in rows]
    return Beginnings(tuple(_first_sessions(series).tolist()), tuple(running_digests(texts)))


def _first_sessions(series: NewsSeries) -> Dates:
    """Of each article the first session whose last bar could know it."""
    if not len(series):
        return np.empty(0, "datetime64[D]")
    first, last = (_day(moment) for moment in series.known_at[[0, -1]])
    # A day earlier, since the date in New York is at times the one before.
    near = sessions(first - timedelta(days=1), last + _NEXT_SESSION)
    found: Dates = near.dates[np.searchsorted(near.closes, series.known_at)]
    return found


def _day(moment: np.datetime64) -> date:
    day: date = moment.astype("datetime64[D]").item()
    return day
