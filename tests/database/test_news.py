"""Articles: stored once, listed, and read for a score without a look ahead."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from database.connection import Database
from database.news import (
    ScoredArticle,
    add_articles,
    articles,
    clock_of,
    news_months,
    news_series,
    sentiments,
)
from lake.news.articles import news_fingerprint
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


def test_a_symbol_that_is_named_later_was_not_known_before(database: Database) -> None:
    add_articles(database, [scored(1, "AAPL")])
    add_articles(database, [scored(1, "AAPL", "IBM", fetched=30)])
    found = news_series(database, ["AAPL", "IBM", "MSFT"])
    start = np.datetime64("2024-01-02T15:00", "ns")
    np.testing.assert_array_equal(found["AAPL"].known_at, [start + HOUR])
    np.testing.assert_array_equal(found["IBM"].known_at, [start + 30 * HOUR])
    assert found["IBM"].articles.tolist() == found["AAPL"].articles.tolist()
    assert len(found["MSFT"]) == 0
    early, _ = sentiments(database, "IBM", AT, AT + timedelta(hours=29))
    assert len(early) == 0


def test_a_symbol_whose_naming_was_not_noted_is_known_with_its_article(database: Database) -> None:
    add_articles(database, [scored(1, "AAPL")])
    with database.transaction() as connection:
        connection.execute("UPDATE article_symbol SET named_at = NULL")
    assert len(news_series(database, ["AAPL"], until=AT + timedelta(hours=1))["AAPL"]) == 1


def test_only_what_was_stored_after_a_moment(database: Database) -> None:
    add_articles(database, [scored(5, "AAPL")])
    now = clock_of(database)
    # It says something older, and the database had it later.
    add_articles(database, [scored(1, "AAPL", "MSFT")])
    found = news_series(database, ["AAPL", "MSFT"], added_after=now)
    assert {symbol: len(own) for symbol, own in found.items()} == {"AAPL": 1, "MSFT": 1}
    assert len(news_series(database, ["AAPL"])["AAPL"]) == 2


def test_the_hash_of_a_month_is_that_of_its_file(database: Database) -> None:
    values = [0.1, -1.0, 1e-17, -0.0, 0.123456789012345]
    for day, value in enumerate(values):
        add_articles(database, [scored(day * 24 * 9, "AAPL", score=value)])
    add_articles(database, [scored(1, "MSFT")])
    series = news_series(database, ["AAPL"])["AAPL"]
    months = series.known_at.astype("datetime64[M]")
    assert news_months(database, ["AAPL", "IBM"]) == {
        "AAPL": {
            str(month): news_fingerprint(series[months == month]) for month in np.unique(months)
        }
    }
    assert len(np.unique(months)) == 2
