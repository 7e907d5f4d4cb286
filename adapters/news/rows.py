"""From a vendor's row to an article."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterable
from datetime import datetime

from trading.news.article import Article, canonical_url

LONGEST_TEXT = 2000
_TAG = re.compile(r"<[^>]{0,500}>")


def article_of(
    *,
    url: str,
    title: str,
    description: str | None,
    publisher: str | None,
    source: str,
    published_at: str,
    fetched_at: datetime,
    symbols: frozenset[str],
) -> Article:
    """The article that a row tells of, its texts plain and of bounded length.

    Raises:
        ValueError: It has no headline, its address is none, or its time is none with an offset.
    """
    published = datetime.fromisoformat(published_at)
    headline = plain(title)
    if published.utcoffset() is None or not headline:
        raise ValueError("no headline, or a time without an offset")
    return Article(
        url=canonical_url(url),
        title=headline,
        description=plain(description or ""),
        publisher=plain(publisher or ""),
        source=source,
        published_at=published,
        fetched_at=fetched_at,
        symbols=symbols,
    )


def plain(text: str) -> str:
    """Text without markup, on one line."""
    return " ".join(html.unescape(_TAG.sub(" ", text)).split())[:LONGEST_TEXT]


def asked_for(
    articles: Iterable[Article], symbols: Collection[str], since: datetime, until: datetime
) -> list[Article]:
    """Those that were published in [since, until) about one of the symbols, in order of time."""
    wanted = set(symbols)
    found = [a for a in articles if since <= a.published_at < until and a.symbols & wanted]
    return sorted(found, key=lambda a: (a.published_at, a.url))
