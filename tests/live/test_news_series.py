"""News beside live bars: what comes in while the process runs, whenever it could be acted on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from database.connection import Database
from database.news import ScoredArticle, add_articles
from live import news_series as module
from live.news_series import LiveNews
from storage.directory import open_directory
from tests.lake.news_files import write_news
from trading.news.article import Article

AT = datetime(2024, 1, 2, 15, tzinfo=UTC)


def scored(number: int, *symbols: str) -> ScoredArticle:
    out = AT + timedelta(hours=number)
    article = Article(
        url=f"https://a.com/{number}", title="T", description="", publisher="P", source="newsapi",
        published_at=out, fetched_at=out, symbols=frozenset(symbols),
    )  # fmt: skip
    return ScoredArticle(article=article, sentiment=number / 10, label="neutral", scorer="vader")


def test_news_of_lake_and_database_are_one_series_that_grows(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_WRITE", timedelta(0))
    write_news(tmp_path, "AAPL", ("2023-01-02T15:00", -0.5))
    add_articles(database, [scored(3, "AAPL")])
    news = LiveNews(open_directory(str(tmp_path), "lake_dir"), database)
    news.look(["AAPL"])
    assert news.of("AAPL").series.values.tolist() == [-0.5, 0.3]
    # Stored later and about something older, and about a symbol asked for later.
    add_articles(database, [scored(1, "AAPL", "MSFT"), scored(4, "MSFT")])
    assert news.of("AAPL").series.values.tolist() == [-0.5, 0.3]
    news.look(["MSFT", "IBM"])
    assert news.of("AAPL").series.values.tolist() == [-0.5, 0.1, 0.3]
    assert news.of("MSFT").series.values.tolist() == [0.1, 0.4]
    assert len(news.of("IBM").series) == 0
    add_articles(database, [scored(5, "IBM")])
    news.look(["AAPL"])
    assert news.of("IBM").series.values.tolist() == [0.5]
