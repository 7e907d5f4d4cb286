"""News onto the bus: all of them, after they are stored, also when the bus was away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from adapters.market_data.protocol import SourceError
from adapters.news.synthetic import SyntheticNews
from database.connection import Database
from database.news import articles
from flows.operations.news_fetching import fetch_news
from live.news import publish_news, run_news
from trading.events import ArticleSeen, Event, Stream

SINCE = datetime(2024, 1, 2, tzinfo=UTC)


class NewsOnBus:
    def __init__(self) -> None:
        self.events: list[ArticleSeen] = []
        self.is_down = False

    def publish_many(self, stream: Stream, events: Iterable[tuple[str, Event]]) -> None:
        assert stream is Stream.NEWS
        if self.is_down:
            raise ConnectionError("the bus is away")
        for key, event in events:
            assert isinstance(event, ArticleSeen)
            assert key in event.symbols
            self.events.append(event)


def fetch(database_url: str, days: int) -> None:
    until = SINCE + timedelta(days=days)
    fetch_news(database_url, SyntheticNews(), ("AAPL", "MSFT"), SINCE, until)


def test_every_article_is_published_once_it_is_stored(
    database: Database, database_url: str
) -> None:
    bus = NewsOnBus()
    fetch(database_url, 5)
    bus.is_down = True
    with pytest.raises(ConnectionError):
        publish_news(database, bus)
    bus.is_down = False
    stored = {article.id: article for article in articles(database)}
    assert publish_news(database, bus) == len(stored) > 0
    assert publish_news(database, bus) == 0
    assert {event.id for event in bus.events} == stored.keys()
    first = bus.events[0]
    assert first.usable_from == int(stored[first.id].usable_from.timestamp()) * 1_000_000_000
    assert first.sentiment == stored[first.id].sentiment
    fetch(database_url, 9)
    assert publish_news(database, bus) == len(articles(database, count=999)) - len(stored)


def test_a_source_that_is_down_is_asked_again(
    database: Database, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    bus, stop = NewsOnBus(), threading.Event()
    asked: list[int] = []

    def sometimes() -> None:
        asked.append(1)
        if len(asked) == 1:
            raise SourceError("news", "Alpaca cannot be reached", transient=True)
        fetch(database_url, 5)
        stop.set()

    with caplog.at_level(logging.WARNING):
        run_news(database_url, bus, sometimes, stop, every_seconds=0.0)
    assert len(asked) == 2
    assert "Alpaca cannot be reached" in caplog.text
    assert len(bus.events) == len(articles(database))
