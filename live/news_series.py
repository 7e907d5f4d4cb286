"""The news beside live bars: those of the lake, and after them what the database knows."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from database.connection import Database
from database.news import clock_of, news_series
from lake.gold.news_history import NewsHistory
from lake.news.articles import read_news
from live.histories.growing import UNKNOWN
from storage.directory import Directory
from trading.news.series import NewsSeries

_LONGEST_WRITE = timedelta(minutes=10)
"""How long it may take at most from noting when an article is added until others see it."""


class LiveNews:
    """The news about all symbols that somebody asks for.

    Args:
        lake: Where the copy is that gold reads.
        database: Where articles come in.
    """

    def __init__(self, lake: Directory, database: Database) -> None:
        self._lake = lake
        self._database = database
        self._series: dict[str, NewsSeries] = {}
        self._looked: datetime | None = None

    def look(self, symbols: Iterable[str]) -> None:
        """Take in what is new, and all that there is about symbols not asked for before.

        Raises:
            ContentError: A file of the lake is damaged.
            StorageError, DatabaseError: The lake or the database cannot be read.
        """
        now = clock_of(self._database)
        if self._series and self._looked is not None:
            since = self._looked - _LONGEST_WRITE
            self._take(news_series(self._database, list(self._series), added_after=since))
        unknown = sorted(set(symbols) - self._series.keys())
        if unknown:
            added = news_series(self._database, unknown)
            self._series |= {symbol: read_news(self._lake, symbol) for symbol in unknown}
            self._take(added)
        self._looked = now

    def of(self, symbol: str) -> NewsHistory:
        """The news about a symbol that has been looked for.

        Its score as of a bar is of what could be acted on by then, also if more is known.
        """
        return NewsHistory(self._series[symbol], UNKNOWN)

    def _take(self, added: dict[str, NewsSeries]) -> None:
        for symbol, new in added.items():
            self._series[symbol] = self._series[symbol].with_new(new)
