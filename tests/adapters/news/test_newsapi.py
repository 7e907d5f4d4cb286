"""NewsAPI against a stand-in: names, pages, refusals, and what is no news of the company."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError
from adapters.market_data.protocol import SourceError
from adapters.news.newsapi import NewsApi, names_company, short_name
from tests.adapters.json_server import Answer, too_many_requests
from tests.adapters.news.newsapi_server import KEY, NewsApiServer
from tests.adapters.pacers import paced
from trading.errors import ParameterError

SINCE, UNTIL = datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)
APPLE = {"AAPL": "Apple Inc."}


def row(number: int, title: str = "Apple beats estimates", **fields: Any) -> dict[str, Any]:
    return {
        "source": {"id": None, "name": "Daily Paper"},
        "title": title,
        "description": "<p>It &amp; others</p>",
        "url": f"https://www.paper.com/{number}?utm_source=api",
        "publishedAt": f"2024-01-02T{10 + number // 60:02}:{number % 60:02}:00Z",
        **fields,
    }


@pytest.fixture
def server() -> Iterator[NewsApiServer]:
    running = NewsApiServer()
    with running.running():
        yield running


def source(server: NewsApiServer, key: str = KEY) -> NewsApi:
    return NewsApi(SecretStr(key), url=server.url, pacer=paced(1_000)[0])


def test_articles_are_read_page_by_page(server: NewsApiServer) -> None:
    server.articles = [row(number) for number in range(230)]
    before = datetime.now(UTC)
    found = source(server).articles(APPLE, SINCE, UNTIL)
    assert len(found) == 230
    assert [r.query["page"] for r in server.requests] == ["1", "2", "3"]
    first = found[0]
    assert (first.url, first.title, first.description, first.publisher, first.source) == (
        "https://paper.com/0", "Apple beats estimates", "It & others", "Daily Paper", "newsapi",
    )  # fmt: skip
    assert first.published_at == datetime(2024, 1, 2, 10, tzinfo=UTC)
    assert first.symbols == {"AAPL"}
    assert before <= first.fetched_at == first.usable_from


def test_what_only_mentions_the_word_is_no_news_of_the_company(server: NewsApiServer) -> None:
    server.articles = [
        row(1, "Pineapples are dear"),
        row(2, "[Removed]"),
        row(3, "Ten apple pies", content="apple"),
        row(4, "Chip maker gains (NASDAQ: AAPL)", content="Apple"),
    ]
    assert [a.url[-1] for a in source(server).articles(APPLE, SINCE, UNTIL)] == ["4"]


def test_an_article_of_two_companies_is_one(server: NewsApiServer) -> None:
    server.articles = [row(1, "Apple sues Microsoft")]
    companies = APPLE | {"MSFT": "Microsoft Corporation"}
    (article,) = source(server).articles(companies, SINCE, UNTIL)
    assert article.symbols == {"AAPL", "MSFT"}


def test_a_company_without_a_name_cannot_be_looked_for(server: NewsApiServer) -> None:
    with pytest.raises(ParameterError, match="trading company fetch ZZ"):
        source(server).articles({"ZZ": ""}, SINCE, UNTIL)
    assert server.requests == []


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Apple Inc.", "Apple"),
        ("Amazon.com, Inc.", "Amazon.com"),
        ("Alphabet Inc. Class A", "Alphabet"),
        ("The Coca-Cola Company", "The Coca-Cola"),
        ("Berkshire Hathaway", "Berkshire Hathaway"),
    ],
)
def test_names_are_shortened_to_what_papers_write(name: str, short: str) -> None:
    assert short_name(name) == short


def test_a_symbol_counts_only_as_papers_write_it() -> None:
    assert names_company("Buy $F now", "F", "Ford Motor")
    assert names_company("Ford Motor (F) rises", "F", "Nobody")
    assert not names_company("Grade F is bad", "F", "Ford Motor")
    assert not names_company("Fords Motors", "F", "Ford")


def test_a_wrong_key_is_said_without_the_key(server: NewsApiServer) -> None:
    with pytest.raises(AccessError, match="refuses the key") as refused:
        source(server, "wrong-key-9876").articles(APPLE, SINCE, UNTIL)
    assert "9876" not in str(refused.value)


def test_too_many_requests_are_waited_for(server: NewsApiServer) -> None:
    server.articles = [row(1)]
    server.faults.append(too_many_requests("0"))
    assert len(source(server).articles(APPLE, SINCE, UNTIL)) == 1


@pytest.mark.parametrize(
    "body", ["[]", "{}", '{"articles": [], "totalResults": "1"}', "<html>", '{"articles": {}}']
)
def test_an_answer_that_is_none_is_an_error(server: NewsApiServer, body: str) -> None:
    server.faults.extend([Answer(200, body)] * 4)
    with pytest.raises(SourceError):
        source(server).articles(APPLE, SINCE, UNTIL)


@pytest.mark.parametrize(
    "wrong", [{"publishedAt": "yesterday"}, {"title": None}, {"url": "x"}, {"title": ""}]
)
def test_an_article_that_lacks_something_is_an_error(
    server: NewsApiServer, wrong: dict[str, Any]
) -> None:
    content = {"totalResults": 1, "articles": [row(1, **wrong)]}
    server.faults.append(Answer(200, json.dumps(content)))
    with pytest.raises(SourceError, match="an article lacks something"):
        source(server).articles(APPLE, SINCE, UNTIL)


def test_more_articles_than_can_be_read_are_refused(server: NewsApiServer) -> None:
    server.articles = [row(number % 800) for number in range(1_100)]
    with pytest.raises(SourceError, match="ask for fewer days"):
        source(server).articles(APPLE, SINCE, UNTIL)
