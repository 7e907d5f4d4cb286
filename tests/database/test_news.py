"""Articles: stored once, listed, and read for a score without a look ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from database.connection import Database
from database.news import ScoredArticle, add_articles, articles, sentiments
from trading.news.article import Article
from trading.news.score import news_score

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)
HOUR = np.timedelta64(1, "h")


def scored(
    number: int, *symbols: str, fetched: int | None = None, score: float = 0.5
) -> ScoredArticle:
    article = Article(
        url=f"https://a.com/{number}", title=f"Title {number}", description="", publisher="P",
        source="newsapi", published_at=AT + timedelta(hours=number),
        fetched_at=AT + timedelta(hours=number if fetched is None else fetched),
        symbols=frozenset(symbols),
    )  # fmt: skip
    return ScoredArticle(article=article, sentiment=score, label="positive", scorer="vader")


def test_an_article_is_stored_once_and_keeps_when_it_was_first_known(database: Database) -> None:
    assert len(add_articles(database, [scored(1, "AAPL"), scored(2, "AAPL", "MSFT")])) == 2
    again = [scored(1, "AAPL", "IBM", fetched=99, score=-1.0), scored(3, "IBM")]
    assert [entry.article.title for entry in add_articles(database, again)] == ["Title 3"]
    first = articles(database)[-1]
    assert (first.sentiment, first.usable_from) == (0.5, AT + timedelta(hours=1))
    assert first.symbols == ["AAPL", "IBM"]


def test_articles_are_listed_from_the_newest_on(database: Database) -> None:
    add_articles(
        database, [scored(number, "AAPL" if number % 2 else "MSFT") for number in range(6)]
    )
    assert [a.title[-1] for a in articles(database, count=3)] == ["5", "4", "3"]
    assert [a.title[-1] for a in articles(database, "MSFT")] == ["4", "2", "0"]
    assert articles(database, "IBM") == []


def test_a_score_is_of_what_could_be_acted_on_by_then(database: Database) -> None:
    late = scored(1, "AAPL", fetched=5, score=-1.0)  # out at 1, fetched at 5
    add_articles(database, [scored(0, "AAPL", score=1.0), late, scored(2, "MSFT", score=-1.0)])
    moments, values = sentiments(database, "AAPL", AT - timedelta(days=1), AT + timedelta(hours=9))
    start = np.datetime64("2024-01-02T15:00", "ns")
    np.testing.assert_array_equal(moments, [start, start + 5 * HOUR])
    at = start + np.array([4, 5]) * HOUR
    found = news_score(at, moments, values, np.timedelta64(5, "h"))
    np.testing.assert_allclose(found, [1.0, (0.5 - 1.0) / 1.5])
    early, _ = sentiments(database, "AAPL", AT - timedelta(days=1), AT + timedelta(hours=4))
    assert len(early) == 1


def test_no_articles_are_empty_arrays(database: Database) -> None:
    moments, values = sentiments(database, "AAPL", AT, AT)
    assert (moments.dtype, moments.shape, values.shape) == (np.dtype("datetime64[ns]"), (0,), (0,))
