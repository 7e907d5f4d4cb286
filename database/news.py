"""Articles and their sentiment."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from psycopg.rows import class_row

from database.connection import Database
from trading.arrays import Floats, Timestamps
from trading.instruments.clock import to_datetime64
from trading.news.article import Article
from trading.news.series import NewsSeries

_ADD = """
INSERT INTO article (id, url, title, description, publisher, source, published_at, fetched_at,
    sentiment, label, scorer)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING RETURNING id
"""

_ABOUT = """
INSERT INTO article_symbol (symbol, article_id, named_at) VALUES (%s, %s, %s)
ON CONFLICT DO NOTHING
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

_USABLE = """
SELECT s.symbol, s.article_id, greatest(a.usable_from, s.named_at) AS usable_from, a.sentiment,
    s.added_at
FROM article a JOIN article_symbol s ON s.article_id = a.id WHERE s.symbol = ANY(%(symbols)s)
"""
"""`greatest` passes over null. Of a symbol that was named later, nobody knew before then."""

_SERIES = f"""
SELECT symbol, article_id, usable_from, sentiment FROM ({_USABLE}) u
WHERE (%(after)s::timestamptz IS NULL OR usable_from > %(after)s)
    AND (%(until)s::timestamptz IS NULL OR usable_from <= %(until)s)
    AND (%(added_after)s::timestamptz IS NULL OR added_at > %(added_after)s)
"""  # noqa: S608 - nothing of a user's is in it

_MONTHS = f"""
SELECT symbol, to_char(usable_from AT TIME ZONE 'UTC', 'YYYY-MM') AS month,
    encode(sha256(convert_to(string_agg(
        article_id || ' ' || (extract(epoch FROM usable_from) * 1000000)::bigint || ' '
            || encode(float8send(sentiment), 'hex'),
        chr(10) ORDER BY usable_from, article_id COLLATE "C"), 'UTF8')), 'hex')
FROM ({_USABLE}) u GROUP BY symbol, month
"""  # noqa: S608 - nothing of a user's is in it


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
                connection.execute(_ABOUT, [symbol, article.id, article.fetched_at])
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
    series = news_series(database, [symbol], after=after, until=until)[symbol]
    return series.known_at, series.values


def news_series(
    database: Database,
    symbols: Sequence[str],
    *,
    after: datetime | None = None,
    until: datetime | None = None,
    added_after: datetime | None = None,
) -> dict[str, NewsSeries]:
    """The articles about each symbol, empty where there are none.

    Args:
        database: The database.
        symbols: The symbols.
        after: Of those that could be acted on after this moment; None for all.
        until: And at this one at the latest; None for all.
        added_after: Of those that were stored after this moment by the database's clock.
    """
    asked = {
        "symbols": list(symbols), "after": after, "until": until, "added_after": added_after,
    }  # fmt: skip
    with database.transaction() as connection:
        rows = connection.execute(_SERIES, asked).fetchall()
    found: dict[str, list[tuple[str, np.datetime64, float]]] = {name: [] for name in symbols}
    for symbol, article, moment, value in rows:
        found[symbol].append((article, to_datetime64(moment), value))
    return {symbol: NewsSeries.of(own) for symbol, own in found.items()}


@contextlib.contextmanager
def news_writer(database: Database) -> Iterator[None]:
    """Be the only one that copies news into the lake for the time of the block."""
    with database.transaction() as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('news into lake', 0))")
        yield


def clock_of(database: Database) -> datetime:
    """What the database's clock shows, by which it notes when articles are stored."""
    with database.transaction() as connection:
        row = connection.execute("SELECT clock_timestamp()").fetchone()
    if row is None:
        raise AssertionError("a clock always shows a time")
    moment: datetime = row[0]
    return moment


def news_months(database: Database, symbols: Sequence[str]) -> dict[str, dict[str, str]]:
    """The hash of each month of articles about symbols, by symbol and month, e.g. `2024-01`.

    `lake.news.articles.news_fingerprint` computes the same of the lake's files.
    """
    with database.transaction() as connection:
        rows = connection.execute(_MONTHS, {"symbols": list(symbols)}).fetchall()
    found: dict[str, dict[str, str]] = {}
    for symbol, month, fingerprint in rows:
        found.setdefault(symbol, {})[month] = fingerprint
    return found
