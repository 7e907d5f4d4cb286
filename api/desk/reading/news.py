"""Articles with their sentiment, and what is known of a company."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from api.desk.reading.rows import rows_of
from database.connection import Database

_ARTICLES = """
SELECT id, url, title, description, publisher, published_at, usable_from, sentiment, label,
    array(SELECT symbol FROM article_symbol WHERE article_id = article.id ORDER BY symbol)
        AS symbols
FROM article
WHERE %(symbol)s::text IS NULL
    OR id IN (SELECT article_id FROM article_symbol WHERE symbol = %(symbol)s)
ORDER BY usable_from DESC, id LIMIT %(limit)s
"""

_FACTS = """
SELECT DISTINCT ON (kind) kind, period, known_at, content, source FROM company_fact
WHERE symbol = %s ORDER BY kind, period DESC, known_at DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """An article; fields as in the table `article`.

    Attributes:
        id: Of the canonical URL.
        url: Where it is.
        title: Its headline.
        description: Its first lines.
        publisher: Who wrote it.
        published_at: When it says it was published.
        usable_from: When it could first be acted on.
        sentiment: From -1 to 1.
        label: `positive`, `neutral` or `negative`.
        symbols: Whom it is about.
    """

    id: str
    url: str
    title: str
    description: str
    publisher: str
    published_at: datetime
    usable_from: datetime
    sentiment: float
    label: str
    symbols: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompanyFact:
    """The newest of one kind of facts of a company.

    Attributes:
        kind: E.g. `profile` or `statistics`.
        period: The period that it is of.
        known_at: When it was known.
        content: As the source has it.
        source: Who says so.
    """

    kind: str
    period: date
    known_at: datetime
    content: Any
    source: str


def articles(database: Database, symbol: str | None = None, limit: int = 100) -> list[Article]:
    """The last articles, the newest first; of one symbol when it is named."""
    return rows_of(database, Article, _ARTICLES, {"symbol": symbol, "limit": limit})


def company_facts(database: Database, symbol: str) -> dict[str, CompanyFact]:
    """The newest facts of a company by kind."""
    found = rows_of(database, CompanyFact, _FACTS, [symbol])
    return {fact.kind: fact for fact in found}
