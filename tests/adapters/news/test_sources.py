"""What every source of news keeps to, whoever it asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from adapters.news.alpaca import AlpacaNews
from adapters.news.newsapi import NewsApi
from adapters.news.protocol import NewsSource
from adapters.news.sources import NewsSourceName
from adapters.news.synthetic import SyntheticNews
from tests.adapters.alpaca_server import KEY_ID, SECRET
from tests.adapters.news import test_alpaca_news, test_newsapi
from tests.adapters.news.alpaca_news_server import AlpacaNewsServer
from tests.adapters.news.newsapi_server import KEY, NewsApiServer
from tests.adapters.pacers import paced
from trading.news.article import canonical_url

COMPANIES = {"AAPL": "Apple Inc.", "MSFT": "Microsoft Corporation"}
DAY = datetime(2024, 1, 2, tzinfo=UTC)


@contextmanager
def opened(name: NewsSourceName) -> Iterator[NewsSource]:
    """The source with articles of some minutes of the day; a new one fails here until it is named.

    Raises:
        KeyError: Nobody has said how it is asked.
    """
    pacer = paced(1_000)[0]
    minutes = range(0, 24 * 60, 45)
    if name is NewsSourceName.SYNTHETIC:
        yield SyntheticNews()
    elif name is NewsSourceName.NEWSAPI:
        api = NewsApiServer()
        api.articles = [test_newsapi.row(n) for n in range(0, 13 * 60, 45)]
        with api.running():
            yield NewsApi(SecretStr(KEY), url=api.url, pacer=pacer)
    elif name is NewsSourceName.ALPACA:
        vendor = AlpacaNewsServer()
        vendor.news = [test_alpaca_news.row(n, "AAPL", "TSLA") for n in minutes]
        with vendor.running():
            keys = SecretStr(KEY_ID), SecretStr(SECRET)
            yield AlpacaNews(*keys, data_url=vendor.url, pacer=pacer)
    else:
        raise KeyError(name)


@pytest.mark.parametrize("name", NewsSourceName)
def test_every_source_answers_with_what_was_published_in_the_time_asked_for(
    name: NewsSourceName,
) -> None:
    with opened(name) as source:
        whole = source.articles(COMPANIES, DAY, DAY + timedelta(days=1))
        middle = whole[len(whole) // 2].published_at
        before = source.articles(COMPANIES, DAY, middle)
        after = source.articles(COMPANIES, middle, DAY + timedelta(days=1))
    assert source.name == name
    assert before
    assert after
    # The end is exclusive: nothing is told twice, and nothing is left out.
    assert [a.url for a in (*before, *after)] == [a.url for a in whole]


@pytest.mark.parametrize("name", NewsSourceName)
def test_every_source_names_each_article_once_in_order_and_of_whom(name: NewsSourceName) -> None:
    with opened(name) as source:
        found = source.articles(COMPANIES, DAY, DAY + timedelta(days=1))
    assert found
    assert [a.published_at for a in found] == sorted(a.published_at for a in found)
    assert len({a.url for a in found}) == len(found)
    for article in found:
        assert article.source == name
        assert article.url == canonical_url(article.url)
        assert article.published_at.utcoffset() is not None
        assert article.symbols & set(COMPANIES)
