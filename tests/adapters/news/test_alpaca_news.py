"""Alpaca's news against a stand-in, which Alpaca's own client proves faithful."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alpaca.data.historical.news import NewsClient
from alpaca.data.models.news import NewsSet
from alpaca.data.requests import NewsRequest
from pydantic import SecretStr

from adapters.market_data.bar_source import AccessError
from adapters.market_data.protocol import SourceError
from adapters.news.alpaca import AlpacaNews
from adapters.news.synthetic import SyntheticNews
from tests.adapters.alpaca_server import KEY_ID, SECRET
from tests.adapters.json_server import Answer, too_many_requests
from tests.adapters.news.alpaca_news_server import AlpacaNewsServer
from tests.adapters.pacers import paced

SINCE, UNTIL = datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 3, tzinfo=UTC)


def row(number: int, *symbols: str, **fields: Any) -> dict[str, Any]:
    at = (SINCE + timedelta(minutes=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "id": number, "headline": f"Headline {number}", "summary": "A summary",
        "author": "A. Writer", "source": "benzinga", "content": "", "images": [],
        "url": f"https://www.benzinga.com/news/{number}", "created_at": at, "updated_at": at,
        "symbols": list(symbols or ("AAPL",)), **fields,
    }  # fmt: skip


@pytest.fixture
def server() -> Iterator[AlpacaNewsServer]:
    running = AlpacaNewsServer()
    with running.running():
        yield running


def source(server: AlpacaNewsServer, secret: str = SECRET) -> AlpacaNews:
    pacer = paced(1_000)[0]
    return AlpacaNews(SecretStr(KEY_ID), SecretStr(secret), data_url=server.url, pacer=pacer)


def test_articles_are_read_page_by_page(server: AlpacaNewsServer) -> None:
    server.news = [row(number, "AAPL", "BRK.B", "BTC/USD") for number in range(120)]
    server.news += [row(-1), row(24 * 60)]  # a minute before, and the first of the next day
    found = source(server).articles({"AAPL": "", "BRK-B": ""}, SINCE, UNTIL)
    assert [a.title for a in found] == [f"Headline {number}" for number in range(120)]
    assert len(server.requests) == 3
    assert found[0].symbols == {"AAPL", "BRK-B"}
    assert found[0].url == "https://benzinga.com/news/0"
    assert found[0].publisher == "benzinga"


def test_the_vendor_s_own_client_reads_the_stand_in_as_we_do(server: AlpacaNewsServer) -> None:
    server.news = [row(number) for number in range(70)]
    client = NewsClient(KEY_ID, SECRET, url_override=server.url)
    asked = NewsRequest(symbols="AAPL", start=SINCE, end=UNTIL, sort="asc", limit=100)
    answer = client.get_news(asked)
    assert isinstance(answer, NewsSet)
    theirs = [(n.headline, n.created_at) for n in answer.data["news"]]
    ours = source(server).articles({"AAPL": ""}, SINCE, UNTIL)
    assert theirs == [(a.title, a.published_at) for a in ours]


def test_a_wrong_key_is_said_without_the_key(server: AlpacaNewsServer) -> None:
    with pytest.raises(AccessError, match="refuses the key") as refused:
        source(server, "wrong-secret-1").articles({"AAPL": ""}, SINCE, UNTIL)
    assert "wrong-secret" not in str(refused.value)


def test_too_many_requests_are_waited_for(server: AlpacaNewsServer) -> None:
    server.news = [row(1)]
    server.faults.append(too_many_requests("0"))
    assert len(source(server).articles({"AAPL": ""}, SINCE, UNTIL)) == 1


@pytest.mark.parametrize(
    "content",
    [
        {}, {"news": {}}, {"news": [{"headline": "x"}]}, {"news": [row(1, created_at="x")]},
        {"news": [row(1, created_at="2024-01-02T10:00:00")]}, {"news": [row(1, headline=None)]},
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_an_error(
    server: AlpacaNewsServer, content: dict[str, Any]
) -> None:
    server.faults.extend([Answer(200, json.dumps(content))] * 4)
    with pytest.raises(SourceError, match="Alpaca"):
        source(server).articles({"AAPL": ""}, SINCE, UNTIL)


def test_a_page_that_names_itself_as_the_next_is_an_error(server: AlpacaNewsServer) -> None:
    page = Answer(200, json.dumps({"news": [], "next_page_token": "7"}))
    server.faults.extend([page] * 2)
    with pytest.raises(SourceError, match="was there before"):
        source(server).articles({"AAPL": ""}, SINCE, UNTIL)


def test_synthetic_news_are_the_same_each_time_and_within_what_was_asked() -> None:
    companies = {"AAPL": "Apple", "MSFT": ""}
    whole = SyntheticNews().articles(companies, SINCE, SINCE + timedelta(days=9))
    halves = [
        SyntheticNews().articles(companies, SINCE + timedelta(days=a), SINCE + timedelta(days=b))
        for a, b in ((0, 4), (4, 9))
    ]
    assert whole == [*halves[0], *halves[1]]
    assert len({a.url for a in whole}) == len(whole) > 4
    assert all(a.usable_from == a.published_at for a in whole)
    assert {symbol for a in whole for symbol in a.symbols} == {"AAPL", "MSFT"}
