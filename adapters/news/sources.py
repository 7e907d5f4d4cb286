"""The sources of news by name."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr

from adapters.news.protocol import NewsSource


class NewsSourceName(StrEnum):
    """What users call the sources."""

    SYNTHETIC = "synthetic"
    NEWSAPI = "newsapi"
    ALPACA = "alpaca"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsKeys:
    """What vendors are asked with, and where they are.

    Attributes:
        newsapi_key: NewsAPI's key.
        newsapi_url: Where NewsAPI is.
        alpaca_key_id: The name of Alpaca's key.
        alpaca_secret_key: Alpaca's key.
        alpaca_data_url: Where Alpaca's news are.
    """

    newsapi_key: SecretStr | None
    newsapi_url: str
    alpaca_key_id: SecretStr | None
    alpaca_secret_key: SecretStr | None
    alpaca_data_url: str


def news_source(name: NewsSourceName, keys: NewsKeys) -> NewsSource:
    """The source of this name; nothing is asked of it yet.

    Raises:
        ParameterError: A key is missing, or no key.
    """
    # Imported when they are asked for: httpx alone takes a while.
    match name:
        case NewsSourceName.SYNTHETIC:
            from adapters.news.synthetic import SyntheticNews  # noqa: PLC0415

            return SyntheticNews()
        case NewsSourceName.NEWSAPI:
            from adapters.news.newsapi import NewsApi  # noqa: PLC0415

            return NewsApi(keys.newsapi_key, url=keys.newsapi_url)
        case NewsSourceName.ALPACA:
            from adapters.news.alpaca import AlpacaNews  # noqa: PLC0415

            return AlpacaNews(
                keys.alpaca_key_id, keys.alpaca_secret_key, data_url=keys.alpaca_data_url
            )
