"""News into the database: read, deduplicated, scored, stored once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.news.protocol import NewsSource
from database.companies import company_names
from database.connection import open_database
from database.news import ScoredArticle, add_articles
from trading.news.article import Article
from trading.news.sentiment import label_of, scorer, sentiment


@dataclass(frozen=True, slots=True)
class NewsSummary:
    """What a look for news came to.

    Attributes:
        source: Who was asked.
        symbols: About how many symbols.
        found: Articles that the source had.
        new: Those of them that were not known.
        labels: How many of the new ones are positive, neutral and negative.
    """

    source: str
    symbols: int
    found: int
    new: int
    labels: Mapping[str, int]

    @property
    def sentence(self) -> str:
        """The summary in one sentence."""
        counts = ", ".join(
            f"{self.labels.get(label, 0)} {label}" for label in ("positive", "neutral", "negative")
        )
        return (
            f"{self.found} articles about {self.symbols} symbols from {self.source}, {self.new} of "
            f"them new ({counts})"
        )


def fetch_news(
    database_url: str, source: NewsSource, symbols: Sequence[str], since: datetime, until: datetime
) -> NewsSummary:
    """Store what was published about the symbols in [since, until) and was not known.

    Raises:
        ParameterError: The source cannot look for one of the symbols.
        SourceError: The source did not deliver; nothing was stored.
        DatabaseError: The database did not take it; nothing was stored.
    """
    with open_database(database_url) as database:
        names = company_names(database, symbols)
        companies = {symbol: names.get(symbol, "") for symbol in symbols}
        found = source.articles(companies, since, until)
        new = add_articles(database, [_scored(article) for article in found])
    labels = Counter[str](entry.label for entry in new)
    return NewsSummary(source.name, len(companies), len(found), len(new), dict(labels))


def _scored(article: Article) -> ScoredArticle:
    score = sentiment(article.title, article.description)
    return ScoredArticle(article=article, sentiment=score, label=label_of(score), scorer=scorer())
