"""The files of news: `news/{symbol}/{2024-01}.parquet`, a row an article.

They are the copy of what the database knows that gold and backtests read. A row stays as it was
first written; an article belongs to the month, by UTC, from which on it could be acted on.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
import pyarrow as pa

from lake.files import FileLineage, read_file, stored_fingerprints, write_file
from lake.kept import Kept
from lake.stretch import SUFFIX
from storage.directory import Directory
from storage.errors import ContentError
from storage.parquet.arrays import float_column, timestamp_column
from trading.news.series import NewsSeries

NEWS_FOLDER, NEWS_DATASET = "news", "news"

SCHEMA = pa.schema(
    [
        pa.field("usable_from", pa.timestamp("us", "UTC")),
        pa.field("sentiment", pa.float64()),
        pa.field("article", pa.string()),
    ]
)
"""`usable_from` is when the article could first be acted on for the symbol, the later of when it
was published and when it was fetched; `sentiment` is from -1 to 1, `article` the article's id."""

_READ = Kept(64)
"""What the process has read of symbols; each of their partitions asks for the same."""


def has_news(directory: Directory) -> bool:
    """Whether the lake has news of any symbol.

    Raises:
        StorageError: The lake cannot be listed.
    """
    return bool(directory.list_folders(NEWS_FOLDER))


def read_news(directory: Directory, symbol: str) -> NewsSeries:
    """All articles about a symbol; none without a file.

    Raises:
        ContentError: A file is damaged.
        StorageError: One cannot be read.
    """
    folder = f"{NEWS_FOLDER}/{symbol}"
    files = directory.list_files(folder)
    names = sorted(name for name in files if name.endswith(SUFFIX))
    key = (directory.url, symbol, tuple((name, files[name]) for name in names))
    return _READ.get(key, lambda: _read(directory, symbol, [f"{folder}/{n}" for n in names]))


def stored_news(directory: Directory, symbol: str) -> dict[str, str]:
    """The fingerprint of each file of a symbol by its month, e.g. `2024-01`.

    Raises:
        StorageError: The lake cannot be read.
    """
    found = stored_fingerprints(directory, f"{NEWS_FOLDER}/{symbol}", NEWS_DATASET, symbol)
    return {name.rpartition("/")[2].removesuffix(SUFFIX): text for name, text in found.items()}


def add_news(directory: Directory, symbol: str, new: NewsSeries) -> int:
    """Write the articles that the lake has not yet; how many files that were.

    Raises:
        ContentError: A file is damaged.
        StorageError: One cannot be read or written.
    """
    held = read_news(directory, symbol)
    every = held.with_new(new)
    fresh = set(every.articles.tolist()) - set(held.articles.tolist())
    months = every.known_at.astype("datetime64[M]")
    changed = np.unique(months[[article in fresh for article in every.articles.tolist()]])
    for month in changed:
        _write(directory, symbol, str(month), every[months == month])
    return len(changed)


def news_fingerprint(series: NewsSeries) -> str:
    """Hash of some articles; `database.news.news_months` computes the same."""
    rows = zip(
        series.articles.tolist(),
        (series.known_at.astype("datetime64[us]").view(np.int64)).tolist(),
        (struct.pack(">d", value).hex() for value in series.values.tolist()),
        strict=True,
    )
    text = "\n".join(f"{article} {moment} {value}" for article, moment, value in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def _write(directory: Directory, symbol: str, month: str, series: NewsSeries) -> None:
    table = pa.table(
        {
            "usable_from": timestamp_column(series.known_at, "UTC"),
            "sentiment": float_column(series.values),
            "article": pa.array(series.articles.tolist(), pa.string()),
        }
    ).cast(SCHEMA)
    lineage = FileLineage(NEWS_DATASET, symbol, news_fingerprint(series), "")
    write_file(directory, f"{NEWS_FOLDER}/{symbol}/{month}{SUFFIX}", table, lineage)


def _read(directory: Directory, symbol: str, names: list[str]) -> NewsSeries:
    rows: dict[str, tuple[str, np.datetime64, float]] = {}
    for name in names:
        table = read_file(directory, name, NEWS_DATASET, symbol).table
        for row in _checked(directory, name, table):
            rows.setdefault(row[0], row)
    return NewsSeries.of(rows.values())


def _checked(
    directory: Directory, name: str, table: pa.Table
) -> list[tuple[str, np.datetime64, float]]:
    """The rows of a file.

    Raises:
        ContentError: They are no articles.
    """
    try:
        columns: dict[str, list[Any]] = table.select(SCHEMA.names).cast(SCHEMA).to_pydict()
        moments = table["usable_from"].cast(pa.timestamp("us", "UTC")).to_numpy()
    except (pa.ArrowException, KeyError) as error:
        raise _damaged(directory, name) from error
    values = np.array(columns["sentiment"], np.float64)
    if any(table[column].null_count for column in SCHEMA.names) or not np.all(np.abs(values) <= 1):
        raise _damaged(directory, name)
    return list(zip(columns["article"], moments, values.tolist(), strict=True))


def _damaged(directory: Directory, name: str) -> ContentError:
    return ContentError(
        directory.url_of(name),
        "it holds no articles with their sentiments",
        "remove it and run trading news fetch, which writes again what the database knows",
    )
