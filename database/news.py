"""Articles and their sentiment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from psycopg.rows import class_row

from database.connection import Database
from trading.arrays import Floats, Timestamps
from trading.news.article import Article

_ADD = """
INSERT INTO article (id, url, title, description, publisher, source, published_at, fetched_at,
    sentiment, label, scorer)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING RETURNING id
"""

_ABOUT = """
INSERT INTO article_symbol (symbol, article_id) VALUES (%s, %s) ON CONFLICT DO NOTHING
"""

_LIST = """
SELECT a.id, a.url, a.title, a.description, a.publisher, a.source, a.published_at, a.usable_from,
    a.sentiment, a.label,
    (SELECT array_agg(s.symbol ORDER BY s.symbol) FROM article_symbol s WHERE s.article_id = a.id)
        AS symbols
FROM article a
WHERE %(symbol)s::text IS NULL
    OR EXISTS (SELECT FROM article_symbol s WHERE s.article_id = a.id AND s.symbol = %(symbol)s)
ORDER BY a.usable_from DESC, a.id LIMIT %(count)s
"""

_NOT_ON_BUS = """
SELECT a.id, a.url, a.title, a.description, a.publisher, a.source, a.published_at, a.usable_from,
    a.sentiment, a.label,
    (SELECT array_agg(s.symbol ORDER BY s.symbol) FROM article_symbol s WHERE s.article_id = a.id)
        AS symbols
FROM article a WHERE a.sent_to_bus_at IS NULL ORDER BY a.usable_from, a.id LIMIT %s
"""

_SENTIMENTS = """
SELECT a.usable_from, a.sentiment FROM article a JOIN article_symbol s ON s.article_id = a.id
WHERE s.symbol = %s AND a.usable_from > %s AND a.usable_from <= %s ORDER BY a.usable_from, a.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredArticle:
    """An article with its sentiment.

    Attributes:
        article: The article.
        sentiment: From -1 to 1.
        label: What to call it.
        scorer: What made the score.
    """

    article: Article
    sentiment: float
    label: Literal["positive", "neutral", "negative"]
    scorer: str


@dataclass(frozen=True, slots=True)
class StoredArticle:
    """An article as it is stored.

    Attributes:
        id: Of its canonical address.
        url: Where it is.
        title: Its headline.
        description: What follows it.
        publisher: Who wrote it.
        source: Where we have it from.
        published_at: When it came out.
        usable_from: When it could first be acted on.
        sentiment: From -1 to 1.
        label: What to call that.
        symbols: Whom it is about.
    """

    id: str
    url: str
    title: str
    description: str
    publisher: str
    source: str
    published_at: datetime
    usable_from: datetime
    sentiment: float
    label: str
    symbols: list[str]


def add_articles(database: Database, scored: Sequence[ScoredArticle]) -> list[ScoredArticle]:
    """Store articles; those that are new.

    One that is known keeps what it said and when it was first known; what it is about may grow.

    Raises:
        DatabaseError: The database did not take them; none was stored.
    """
    new = []
    with database.transaction() as connection:
        for entry in scored:
            article = entry.article
            row = connection.execute(
                _ADD,
                [
                    article.id, article.url, article.title, article.description,
                    article.publisher, article.source, article.published_at, article.fetched_at,
                    entry.sentiment, entry.label, entry.scorer,
                ],
            ).fetchone()  # fmt: skip
            new += [entry] if row is not None else []
            for symbol in sorted(article.symbols):
                connection.execute(_ABOUT, [symbol, article.id])
    return new


def articles(database: Database, symbol: str | None = None, count: int = 50) -> list[StoredArticle]:
    """The latest articles, the newest first.

    Args:
        database: The database.
        symbol: About this one alone.
        count: How many at most.
    """
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(StoredArticle)) as cursor,
    ):
        return cursor.execute(_LIST, {"symbol": symbol, "count": count}).fetchall()


def articles_not_on_bus(database: Database, count: int = 500) -> list[StoredArticle]:
    """Articles that the bus is not known to have, the oldest first."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(StoredArticle)) as cursor,
    ):
        return cursor.execute(_NOT_ON_BUS, [count]).fetchall()


def note_on_bus(database: Database, sent: Sequence[StoredArticle]) -> None:
    """Note that the bus has these articles."""
    with database.transaction() as connection:
        connection.execute(
            "UPDATE article SET sent_to_bus_at = clock_timestamp() WHERE id = ANY(%s)",
            [[article.id for article in sent]],
        )


def sentiments(
    database: Database, symbol: str, after: datetime, until: datetime
) -> tuple[Timestamps, Floats]:
    """When each article about a symbol could first be acted on, in order, and its sentiment.

    Args:
        database: The database.
        symbol: The symbol.
        after: Of those that could be acted on after this moment.
        until: And at this one at the latest.

    Returns:
        Moments in UTC and sentiments, both of shape (n,): what `trading.news.score` takes.
    """
    with database.transaction() as connection:
        rows = connection.execute(_SENTIMENTS, [symbol, after, until]).fetchall()
    moments = [moment.replace(tzinfo=None) for moment, _ in rows]
    return (
        np.array(moments, "datetime64[us]").astype("datetime64[ns]"),
        np.array([value for _, value in rows], np.float64),
    )
