"""NewsAPI: articles of many papers, found by the company's name.

It knows no symbols, and a short one is a word like any other: what it finds counts as a company's
only where the headline or the text names the company or its symbol in brackets.

https://newsapi.org/docs/endpoints/everything
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr

from adapters.market_data.pacing import RequestPacer, shared_pacer
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.client import HeaderKeys, JsonClient, Patience, checked_key
from adapters.news.rows import article_of, asked_for
from trading.errors import ParameterError
from trading.news.article import Article, deduplicated

URL = "https://newsapi.org"
REQUESTS_PER_SECOND = 1.0
PAGE_SIZE = 100
MOST = 1000
"""Articles of one company and stretch of time; more are no news but a query gone wrong."""

_REMOVED = "[Removed]"
_FORM = re.compile(
    r"[,.]?\s+(inc|incorporated|corp|corporation|co|company|ltd|limited|plc|llc|n\.?v|s\.?a|ag|"
    r"holdings?|group|class [a-c]|common stock|ordinary shares)\.?$",
    re.IGNORECASE,
)


class NewsApi:
    """News of NewsAPI.

    Args:
        key: Its key.
        url: Where it is.
        pacer: Instead of the one that all with this key share.
        patience: How long to wait for an answer.

    Raises:
        ParameterError: The key is missing, or no key.
    """

    name = "newsapi"

    def __init__(
        self,
        key: SecretStr | None,
        *,
        url: str = URL,
        pacer: RequestPacer | None = None,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        checked = checked_key("newsapi_key", key, "a key of NewsAPI")
        self._url = url.rstrip("/")
        self._client = JsonClient(
            "NewsAPI",
            HeaderKeys({"X-Api-Key": checked}),
            pacer or shared_pacer(self._url, REQUESTS_PER_SECOND, checked.get_secret_value()),
            lambda status, _words: status == 401,  # noqa: PLR2004
            patience,
        )

    def articles(
        self, companies: Mapping[str, str], since: datetime, until: datetime
    ) -> list[Article]:
        """See `NewsSource.articles`."""
        names = {symbol: short_name(name) for symbol, name in companies.items()}
        for symbol, name in sorted(names.items()):
            if not name:
                allowed = "a symbol whose company's name is known, by which NewsAPI finds news"
                next_step = f"run trading company fetch {symbol}, or take the source alpaca"
                raise ParameterError("symbols", symbol, allowed, next_step)
        found = [
            article
            for symbol, name in sorted(names.items())
            for article in self._of(symbol, name, since, until)
        ]
        return asked_for(deduplicated(found), companies, since, until)

    def _of(self, symbol: str, name: str, since: datetime, until: datetime) -> list[Article]:
        query = {
            "q": f'"{name}"',
            "from": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "to": until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "language": "en",
            "sortBy": "publishedAt",
            "pageSize": str(PAGE_SIZE),
        }
        found: list[Article] = []
        told, page = 0, 1
        while True:
            answer = self._client.get(
                symbol, f"{self._url}/v2/everything", {**query, "page": str(page)}
            )
            fetched_at = datetime.now(UTC)
            rows, total = _rows(symbol, answer)
            kept = [row for row in rows if row.get("title") != _REMOVED]
            of_it = [self._article(symbol, row, fetched_at) for row in kept]
            found += [a for a in of_it if names_company(f"{a.title} {a.description}", symbol, name)]
            told += len(rows)
            page += 1
            if told >= total or not rows:
                return found
            if told >= MOST:
                reason = f"NewsAPI has {total} articles, more than {MOST}; ask for fewer days"
                raise SourceError(symbol, reason)

    def _article(self, symbol: str, row: Mapping[str, Any], fetched_at: datetime) -> Article:
        try:
            return article_of(
                url=row["url"],
                title=row["title"],
                description=row.get("description"),
                publisher=(row.get("source") or {}).get("name"),
                source=self.name,
                published_at=row["publishedAt"],
                fetched_at=fetched_at,
                symbols=frozenset({symbol}),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _wrong(symbol, f"an article lacks something ({type(error).__name__})") from None


def short_name(name: str) -> str:
    """A company's name as papers write it: `Apple` of `Apple Inc.`."""
    short = " ".join(name.replace('"', " ").split())
    while (shorter := _FORM.sub("", short)) != short:
        short = shorter
    return short


def names_company(text: str, symbol: str, name: str) -> bool:
    """Whether a text names the company as a whole word, or its symbol as papers write it."""
    if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text):
        return True
    written = re.escape(symbol)
    return bool(re.search(rf"\$({written})\b|\((?:\w+:\s?)?({written})\)", text))


def _rows(symbol: str, answer: object) -> tuple[list[dict[str, Any]], int]:
    if isinstance(answer, dict):
        rows, total = answer.get("articles"), answer.get("totalResults")
        if isinstance(rows, list) and isinstance(total, int):
            return rows, total
    raise _wrong(symbol, "there is no list of articles")


def _wrong(symbol: str, what: str) -> SourceError:
    return SourceError(symbol, f"NewsAPI's answer is not understood: {what}", transient=True)
