"""News for tests, written as the files of the lake are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lake.news.articles import add_news
from storage.directory import open_directory
from trading.news.series import NewsSeries


def news(*rows: tuple[str, float]) -> NewsSeries:
    """Articles of some moments in UTC; each is named after its moment."""
    return NewsSeries.of([(f"at {at}", np.datetime64(at, "ns"), value) for at, value in rows])


def write_news(lake: Path | str, symbol: str, *rows: tuple[str, float]) -> int:
    """Add articles to the lake; how many files were written."""
    return add_news(open_directory(str(lake), "lake_dir"), symbol, news(*rows))
