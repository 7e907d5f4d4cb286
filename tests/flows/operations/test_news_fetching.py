"""News into the database and from there into the lake, whatever happened in between."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from adapters.news.synthetic import SyntheticNews
from database.connection import Database
from database.news import articles, news_series
from flows.boundary.settings import settings
from flows.operations.news_fetching import copy_news, fetch_news
from lake.news.articles import read_news
from storage.directory import Directory, open_directory
from tests.database.conftest import database, database_url, migrated_database, postgres  # noqa: F401
from tests.flows.conftest import Pipeline
from trading.instruments.clock import NEW_YORK, to_datetime64
from trading.news.article import Article

SINCE = datetime(2024, 1, 20, tzinfo=UTC)
SYMBOLS = ("AAPL", "MSFT")


@pytest.fixture
def lake(tmp_path: Path) -> Directory:
    return open_directory(str(tmp_path), "lake_dir")


def test_the_lake_gets_all_that_the_database_knows(
    database: Database,  # noqa: F811
    database_url: str,  # noqa: F811
    lake: Directory,
) -> None:
    def fetch(days: int, into: Directory | None) -> int:
        until = SINCE + timedelta(days=days)
        found = fetch_news(database_url, SyntheticNews(), SYMBOLS, SINCE, until, lake=into)
        return found.files

    assert fetch(10, None) == 0  # as if the process had died before it wrote the lake
    assert fetch(20, lake) == 4  # two months of two symbols
    assert fetch(20, lake) == 0
    for symbol, known in news_series(database, SYMBOLS).items():
        stored = read_news(lake, symbol)
        assert stored.articles.tolist() == known.articles.tolist()
        np.testing.assert_array_equal(stored.known_at, known.known_at)
        np.testing.assert_array_equal(stored.values, known.values)
        assert len(stored) > 5


def test_a_database_that_begins_anew_takes_nothing_from_the_lake(
    database: Database,  # noqa: F811
    database_url: str,  # noqa: F811
    lake: Directory,
) -> None:
    until = SINCE + timedelta(days=5)
    fetch_news(database_url, SyntheticNews(), ["AAPL"], SINCE, until, lake=lake)
    before = read_news(lake, "AAPL")
    with database.transaction() as connection:
        connection.execute("DELETE FROM article")
    assert copy_news(database, lake, ["AAPL"]) == 0
    fetch_news(database_url, SyntheticNews(), ["AAPL"], until, until + timedelta(days=9), lake=lake)
    after = read_news(lake, "AAPL")
    assert after.articles.tolist()[: len(before)] == before.articles.tolist()
    assert len(after) > len(before)


async def test_a_run_looks_back_to_the_session_before(
    pipeline: Pipeline,
    database: Database,  # noqa: F811
    database_url: str,  # noqa: F811
    lake: Directory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    settings.cache_clear()
    monday = "2026-01-05T10:05:00-05:00"
    asked = {"symbols": ["AAPL"], "at": monday, "source": "synthetic", "lake_dir": lake.url}
    ended = await pipeline.run("news/news", asked)
    settings.cache_clear()
    assert ended.state.is_completed(), ended.message
    known = news_series(database, ["AAPL"])["AAPL"]
    friday = datetime(2026, 1, 2, 9, 30, tzinfo=NEW_YORK)
    week = SyntheticNews().articles({"AAPL": ""}, friday, friday + timedelta(days=7))
    weekend = [a for a in week if a.published_at < datetime(2026, 1, 4, tzinfo=UTC)]
    assert len(weekend) > 0
    assert known.articles[: len(week)].tolist() == [
        article.id for article in sorted(week, key=lambda a: (a.published_at, a.id))
    ]
    assert read_news(lake, "AAPL").articles.tolist() == known.articles.tolist()


class Slow:
    """A source that had its article a while ago."""

    name = "slow"

    def articles(
        self, companies: Mapping[str, str], since: datetime, until: datetime
    ) -> list[Article]:
        return [
            Article(
                url="https://a.com/1", title="T", description="", publisher="P", source=self.name,
                published_at=since, fetched_at=since + timedelta(hours=1),
                symbols=frozenset(companies),
            )
        ]  # fmt: skip


def test_nobody_knows_an_article_before_it_is_stored(
    database: Database,  # noqa: F811
    database_url: str,  # noqa: F811
    lake: Directory,
) -> None:
    before = datetime.now(UTC)
    fetch_news(database_url, Slow(), ["AAPL"], SINCE, before, lake=lake)
    (article,) = articles(database)
    assert before <= article.usable_from <= datetime.now(UTC)
    assert read_news(lake, "AAPL").known_at.tolist() == [
        to_datetime64(article.usable_from).astype(int)
    ]
