"""News onto the bus: read now and then, stored, and published once they are stored.

An article counts as published after the bus has it: a process that was killed in between
publishes it again, under the same identity.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from adapters.market_data.protocol import SourceError
from database.connection import Database, open_database
from database.news import StoredArticle, articles_not_on_bus, note_on_bus
from live.alerts.ports import EventPublisher
from trading.events import ArticleSeen, Stream

EVERY_SECONDS = 300.0
"""How often a source is asked."""

_TURN_SECONDS = 2.0
"""How often the process says that it lives while it waits."""

logger = logging.getLogger(__name__)


def publish_news(database: Database, publisher: EventPublisher) -> int:
    """Give the bus what it is not known to have; how many articles that were."""
    waiting = articles_not_on_bus(database)
    if waiting:
        # In order for each symbol that an article is about first of all.
        publisher.publish_many(
            Stream.NEWS, [(article.symbols[0], _event(article)) for article in waiting]
        )
        note_on_bus(database, waiting)
    return len(waiting)


def run_news(
    database_url: str,
    publisher: EventPublisher,
    fetch: Callable[[], object],
    stop: threading.Event,
    every_seconds: float = EVERY_SECONDS,
    *,
    turned: Callable[[], object] = lambda: None,
) -> None:
    """Fetch and publish news until stopped.

    Args:
        database_url: The database.
        publisher: Where they go.
        fetch: Reads what is new into the database.
        stop: Set by whoever wants it to end.
        every_seconds: How often to read.
        turned: Told again and again that the process lives, in this thread.

    Raises:
        DatabaseError: The database is gone; started again, the process goes on where it was.
    """
    with open_database(database_url) as database:
        while not stop.is_set():
            try:
                fetch()
            except SourceError as error:
                # A source that is down is asked again: news come late then, and none is lost.
                logger.warning("News could not be read: %s", error)
            while publish_news(database, publisher):
                pass
            _wait(stop, every_seconds, turned)


def _wait(stop: threading.Event, seconds: float, turned: Callable[[], object]) -> None:
    turned()
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not stop.wait(min(left, _TURN_SECONDS)):
        turned()


def _event(article: StoredArticle) -> ArticleSeen:
    usable_from = (article.usable_from - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(
        microseconds=1
    )
    return ArticleSeen(
        id=article.id,
        symbols=tuple(article.symbols),
        title=article.title,
        url=article.url,
        sentiment=article.sentiment,
        usable_from=usable_from * 1000,
    )
