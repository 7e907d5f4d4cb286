"""Alpaca's news, which name the symbols that they are about.

https://docs.alpaca.markets/reference/news-3
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import SecretStr

from adapters.market_data.pacing import RequestPacer, shared_pacer
from adapters.market_data.protocol import SourceError
from adapters.market_data.rest.client import HeaderKeys, JsonClient, Patience, checked_key
from adapters.market_data.rest.symbols import our_symbol, vendor_symbol
from adapters.news.rows import article_of, asked_for
from trading.news.article import Article, deduplicated

DATA_URL = "https://data.alpaca.markets"
REQUESTS_PER_SECOND = 200 / 60
PAGE_SIZE = 50
SYMBOLS_AT_ONCE = 50


class AlpacaNews:
    """News of Alpaca.

    Args:
        key_id: The key's name.
        secret_key: The key.
        data_url: Where they are.
        pacer: Instead of the one that all with this key share.
        patience: How long to wait for an answer.

    Raises:
        ParameterError: A key is missing, or no key.
    """

    name = "alpaca"

    def __init__(
        self,
        key_id: SecretStr | None,
        secret_key: SecretStr | None,
        *,
        data_url: str = DATA_URL,
        pacer: RequestPacer | None = None,
        patience: Patience = Patience(),  # noqa: B008 - frozen
    ) -> None:
        key = checked_key("alpaca_key_id", key_id, "a key ID of Alpaca")
        secret = checked_key("alpaca_secret_key", secret_key, "a secret key of Alpaca")
        self._url = data_url.rstrip("/")
        self._client = JsonClient(
            "Alpaca",
            HeaderKeys({"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}),
            pacer or shared_pacer(self._url, REQUESTS_PER_SECOND, key.get_secret_value()),
            lambda status, words: status == 401 or (status == 403 and "subscription" not in words),  # noqa: PLR2004
            patience,
        )

    def articles(
        self, companies: Mapping[str, str], since: datetime, until: datetime
    ) -> list[Article]:
        """See `NewsSource.articles`."""
        symbols = sorted(companies)
        found: list[Article] = []
        for first in range(0, len(symbols), SYMBOLS_AT_ONCE):
            found += self._of(symbols[first : first + SYMBOLS_AT_ONCE], since, until)
        return asked_for(deduplicated(found), companies, since, until)

    def _of(self, symbols: list[str], since: datetime, until: datetime) -> list[Article]:
        query = {
            "symbols": ",".join(map(vendor_symbol, symbols)),
            "start": _written(since),
            # Their end is included.
            "end": _written(until - timedelta(microseconds=1)),
            "limit": str(PAGE_SIZE),
            "sort": "asc",
            "include_content": "false",
        }
        found: list[Article] = []
        asked: set[str] = set()
        token: str | None = None
        while True:
            parameters = query if token is None else {**query, "page_token": token}
            page = self._client.get("news", f"{self._url}/v1beta1/news", parameters)
            fetched_at = datetime.now(UTC)
            if not isinstance(page, dict) or not isinstance(page.get("news"), list):
                raise _wrong("has no news")
            found += [self._article(row, fetched_at) for row in page["news"]]
            token = page.get("next_page_token")
            if not token:
                return found
            if not isinstance(token, str) or token in asked:
                raise _wrong("names a next page that was there before")
            asked.add(token)

    def _article(self, row: Mapping[str, Any], fetched_at: datetime) -> Article:
        try:
            about = {our_symbol(str(symbol)) for symbol in row["symbols"]}
            return article_of(
                url=row.get("url") or f"https://alpaca.markets/news/{int(row['id'])}",
                title=row["headline"],
                description=row.get("summary"),
                publisher=row.get("source"),
                source=self.name,
                published_at=row["created_at"],
                fetched_at=fetched_at,
                symbols=frozenset(symbol for symbol in about if symbol),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _wrong(f"has an article that lacks something ({type(error).__name__})") from None


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _wrong(what: str) -> SourceError:
    return SourceError("news", f"a page of Alpaca's answer {what}", transient=True)
