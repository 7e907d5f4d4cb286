"""News of the lake: a row an article, a file a month, and nothing that was known is changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.files import FileLineage, write_file
from lake.news.articles import (
    SCHEMA,
    add_news,
    has_news,
    news_fingerprint,
    read_news,
    stored_news,
)
from storage.directory import Directory, open_directory
from storage.errors import ContentError
from tests.lake.news_files import news, write_news
from trading.news.series import NewsSeries


@pytest.fixture
def lake(tmp_path: Path) -> Directory:
    return open_directory(str(tmp_path), "lake_dir")


def test_articles_come_back_as_they_were_written(lake: Directory, tmp_path: Path) -> None:
    assert not has_news(lake)
    assert len(read_news(lake, "AAPL")) == 0
    written = news(("2024-01-31T23:59:59.999999", 0.1), ("2024-02-01", -1.0), ("2024-02-02", 1.0))
    assert add_news(lake, "AAPL", written) == 2
    assert has_news(lake)
    found = read_news(lake, "AAPL")
    assert found.articles.tolist() == written.articles.tolist()
    np.testing.assert_array_equal(found.known_at, written.known_at)
    np.testing.assert_array_equal(found.values, written.values)
    assert len(read_news(lake, "MSFT")) == 0
    parts = {month: pq.read_table(tmp_path / f"news/AAPL/{month}.parquet") for month in
             ("2024-01", "2024-02")}  # fmt: skip
    assert {month: part.num_rows for month, part in parts.items()} == {"2024-01": 1, "2024-02": 2}
    assert stored_news(lake, "AAPL") == {
        "2024-01": news_fingerprint(written[:1]),
        "2024-02": news_fingerprint(written[1:]),
    }


def test_only_months_with_new_articles_are_written(lake: Directory, tmp_path: Path) -> None:
    first = [("2024-01-05", 0.5), ("2024-02-05", 0.5)]
    write_news(tmp_path, "AAPL", *first)
    before = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*.parquet")}
    assert write_news(tmp_path, "AAPL", *first) == 0
    assert write_news(tmp_path, "AAPL", *first, ("2024-02-01", -0.5)) == 1
    changed = [f.stem for f, at in before.items() if f.stat().st_mtime_ns != at]
    assert changed == ["2024-02"]
    assert read_news(lake, "AAPL").values.tolist() == [0.5, -0.5, 0.5]


def test_what_was_said_of_an_article_stays(lake: Directory, tmp_path: Path) -> None:
    write_news(tmp_path, "AAPL", ("2024-01-05", 0.5))
    again = NewsSeries.of([("at 2024-01-05", np.datetime64("2024-03-01", "ns"), -1.0)])
    assert add_news(lake, "AAPL", again) == 0
    assert stored_news(lake, "AAPL").keys() == {"2024-01"}


@pytest.mark.parametrize(
    "rows",
    [
        {"usable_from": [0], "sentiment": [1.5], "article": ["a"]},
        {"usable_from": [0], "sentiment": [None], "article": ["a"]},
        {"usable_from": [None], "sentiment": [0.5], "article": ["a"]},
        {"usable_from": [0], "sentiment": [float("nan")], "article": ["a"]},
        {"usable_from": [0], "sentiment": [0.5]},
    ],
)
def test_a_file_that_holds_no_articles_is_an_error(
    lake: Directory, rows: dict[str, list[object]]
) -> None:
    schema = pa.schema([SCHEMA.field(name) for name in rows])
    lineage = FileLineage("news", "AAPL", "x", "")
    write_file(lake, "news/AAPL/2024-01.parquet", pa.table(rows, schema=schema), lineage)
    with pytest.raises(ContentError, match="no articles"):
        read_news(lake, "AAPL")
