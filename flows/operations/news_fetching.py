"""News into the database: read, deduplicated, scored, stored once, and copied into the lake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from adapters.news.protocol import NewsSource
from database.companies import company_names
from database.connection import Database, open_database
from database.news import ScoredArticle, add_articles, news_months, news_series, news_writer
from lake.news.articles import add_news, stored_news
from storage.directory import Directory
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
        files: Files of the lake that were written.
    """

    source: str
    symbols: int
    found: int
    new: int
    labels: Mapping[str, int]
    files: int = 0

    @property
    def sentence(self) -> str:
        """The summary in one sentence."""
        counts = ", ".join(
            f"{self.labels.get(label, 0)} {label}" for label in ("positive", "neutral", "negative")
        )
        symbols = "1 symbol" if self.symbols == 1 else f"{self.symbols} symbols"
        return (
            f"{self.found} articles about {symbols} from {self.source}, {self.new} of "
            f"them new ({counts})"
        )


def fetch_news(
    database_url: str,
    source: NewsSource,
    symbols: Sequence[str],
    since: datetime,
    until: datetime,
    *,
    lake: Directory | None = None,
) -> NewsSummary:
    """Store what was published about the symbols in [since, until) and was not known.

    Args:
        database_url: The database.
        source: Who is asked.
        symbols: The symbols.
        since: From when on, aware.
        until: Until when, aware.
        lake: Where all that the database knows of the symbols is copied to; None for nowhere.

    Raises:
        ContentError, StorageError: The lake did not take it; the next call copies what is missing.
        ParameterError: The source cannot look for one of the symbols.
        SourceError: The source did not deliver; nothing was stored.
        DatabaseError: The database did not take it; nothing was stored.
    """
    with open_database(database_url) as database:
        names = company_names(database, symbols)
        companies = {symbol: names.get(symbol, "") for symbol in symbols}
        found = source.articles(companies, since, until)
        scored = [_scored(article) for article in found]
        new = add_articles(database, _stored_at(datetime.now(UTC), scored))
        files = 0 if lake is None else copy_news(database, lake, list(companies))
    labels = Counter[str](entry.label for entry in new)
    return NewsSummary(source.name, len(companies), len(found), len(new), dict(labels), files)


def copy_news(database: Database, lake: Directory, symbols: Sequence[str]) -> int:
    """Bring the lake's news of symbols up to date with the database; how many files were written.

    Raises:
        ContentError: A file of the lake is damaged.
        StorageError: One cannot be read or written.
    """
    with news_writer(database):
        months = news_months(database, symbols)
        behind = [
            symbol
            for symbol, own in months.items()
            if own.items() - stored_news(lake, symbol).items()
        ]
        series = news_series(database, behind)
        return sum(add_news(lake, symbol, own) for symbol, own in series.items())


def _stored_at(moment: datetime, scored: Sequence[ScoredArticle]) -> list[ScoredArticle]:
    """Articles as fetched when they are stored: until then nobody can act on them.

    To ask a source about many companies takes minutes. What pretends to have been fetched when it
    was published stays as it is.
    """
    return [
        entry
        if entry.article.fetched_at <= entry.article.published_at
        else replace(entry, article=replace(entry.article, fetched_at=moment))
        for entry in scored
    ]


def _scored(article: Article) -> ScoredArticle:
    score = sentiment(article.title, article.description)
    return ScoredArticle(article=article, sentiment=score, label=label_of(score), scorer=scorer())
