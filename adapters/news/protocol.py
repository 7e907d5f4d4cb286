"""What a source of news is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from trading.news.article import Article


class NewsSource(Protocol):
    """Somebody who has articles of companies."""

    @property
    def name(self) -> str:
        """What the source is called, kept with each article."""

    def articles(
        self, companies: Mapping[str, str], since: datetime, until: datetime
    ) -> list[Article]:
        """What was published in [since, until), one of each address, in order of time.

        Args:
            companies: The companies' names by symbol; the name may be empty where the source
                knows symbols.
            since: From when on, aware.
            until: Until when, aware.

        Raises:
            ParameterError: It cannot look for one of the companies.
            AccessError: The source refuses the key.
            SourceError: The source did not deliver.
        """
