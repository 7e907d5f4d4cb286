"""Gold of a strategy that reads news: the score of each bar, and what makes a partition due."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lake.backtests.bars import known_bars
from lake.backtests.request import BacktestRequest
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.silver.days import SilverDaysDataset
from lake.silver.request import SilverRequest
from tests.lake.bronze_files import write_days
from tests.lake.building import build, contents, due
from tests.lake.news_files import write_news
from trading.bars.context import NEWS
from trading.bars.intervals import Interval
from trading.errors import ParameterError
from trading.strategies.news_sentiment import NewsSentimentParameters
from trading.strategies.registry import strategy_named

GOLD = GoldDataset()
YEARS = [f"gold/news_sentiment/1d/AAPL/{year}.parquet" for year in (2021, 2022, 2023)]
ARTICLES = [
    ("2021-03-04T14:00", 0.8),  # a Thursday, before the open
    ("2021-03-04T20:59:59", -0.1),  # a second before the close
    ("2021-03-05T21:00", 0.4),  # at the close
    ("2021-03-05T21:00:00.000001", -0.9),  # just after it
    ("2022-07-05T10:00", -0.7),
]


@pytest.fixture(scope="module")
def silver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("news")
    write_days(lake, "AAPL", date(2021, 1, 4), date(2023, 3, 31))
    write_days(lake, "MSFT", date(2021, 1, 4), date(2021, 3, 31))
    build(SilverDaysDataset(), SilverRequest(lake_dir=str(lake)))
    return lake


@pytest.fixture
def lake(silver: Path, tmp_path: Path) -> Path:
    """A lake of its own with the silver of all tests, and news of AAPL."""
    (tmp_path / "silver_days").symlink_to(silver / "silver_days")
    write_news(tmp_path, "AAPL", *ARTICLES)
    return tmp_path


def asked(lake: Path, **more: Any) -> GoldRequest:
    given = {"symbols": ("AAPL",), "intervals": (Interval.DAY,)} | more
    return GoldRequest(lake_dir=str(lake), strategy="news_sentiment", **given)


def literal_score(moment: datetime, half_life_hours: float = 24) -> float | None:
    weighted = total = 0.0
    for at, value in ARTICLES:
        usable = datetime.fromisoformat(at).replace(tzinfo=UTC)
        age = (moment - usable).total_seconds() / 3_600
        if 0 <= age < 7 * half_life_hours:
            weight = 2 ** (-age / half_life_hours)
            weighted, total = weighted + weight * value, total + weight
    return weighted / total if total else None


@pytest.mark.parametrize("half_life", [24.0, 2.0])
def test_each_bar_has_the_score_of_what_was_known_at_its_end(lake: Path, half_life: float) -> None:
    parameters = {} if half_life == 24 else {"news_half_life_hours": half_life}
    assert build(GOLD, asked(lake, parameters=parameters)) == YEARS
    rows = [row for name in YEARS for row in pq.read_table(lake / name).to_pylist()]
    scored = 0
    for row in rows:
        expected = literal_score(row["available_at"], half_life)
        if expected is None:
            assert row["news_score"] is None
            assert row["signal"] == "hold"
            continue
        scored += 1
        assert row["news_score"] == pytest.approx(expected, abs=1e-12)
        level = (expected >= 0.2) - (expected <= -0.2)
        assert row["signal"] == {1: "buy", 0: "hold", -1: "sell"}[level]
    assert 2 <= scored < len(rows) / 10
    assert {"buy", "sell", "hold"} == {row["signal"] for row in rows}


def test_an_article_makes_its_partition_and_the_later_ones_due(lake: Path) -> None:
    build(GOLD, asked(lake))
    before = contents(lake, "gold")
    # After the last close of 2021: no bar of that year knows it.
    write_news(lake, "AAPL", ("2021-12-31T21:00:01", 0.9))
    assert build(GOLD, asked(lake)) == YEARS[1:]
    # At that very close its last bar does.
    write_news(lake, "AAPL", ("2021-12-31T21:00:00", 0.9))
    assert build(GOLD, asked(lake)) == YEARS
    after = contents(lake, "gold")
    assert all(before[name] != after[name] for name in YEARS)
    # News of another symbol, and news after the last bar, change nothing.
    write_news(lake, "MSFT", ("2021-06-01", 0.9))
    write_news(lake, "AAPL", ("2023-04-01", 0.9))
    assert due(GOLD, asked(lake)) == []


def test_adding_news_later_gives_the_bits_of_computing_everything(
    lake: Path, silver: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    late = [("2021-12-30T15:00", 0.5), ("2022-01-03T15:00", -0.5)]
    build(GOLD, asked(lake))
    for one in late:
        write_news(lake, "AAPL", one)
        build(GOLD, asked(lake))
    whole = tmp_path_factory.mktemp("whole")
    (whole / "silver_days").symlink_to(silver / "silver_days")
    write_news(whole, "AAPL", *late, *reversed(ARTICLES))
    build(GOLD, asked(whole))
    assert contents(whole, "gold") == contents(lake, "gold")
    assert contents(whole, "news") == contents(lake, "news")


def test_news_known_after_a_moment_take_no_part_as_of_it(lake: Path) -> None:
    moment = datetime(2022, 6, 30, 22, tzinfo=UTC)
    build(GOLD, asked(lake, as_of=moment))
    before = contents(lake, "gold")
    write_news(lake, "AAPL", ("2022-06-30T22:00:01", 0.9))
    assert due(GOLD, asked(lake, as_of=moment)) == []
    write_news(lake, "AAPL", ("2022-06-30T19:00:00", 0.9))
    assert build(GOLD, asked(lake, as_of=moment)) == YEARS[1:2]
    assert contents(lake, "gold")[YEARS[0]] == before[YEARS[0]]


def test_a_symbol_without_news_holds_and_a_lake_without_any_is_refused(
    lake: Path, silver: Path
) -> None:
    (name,) = build(GOLD, asked(lake, symbols=("MSFT",)))
    table = pq.read_table(lake / name)
    assert set(table["signal"].to_pylist()) == {"hold"}
    assert table["news_score"].null_count == table.num_rows > 0
    for request in (asked(silver), asked(silver, symbols=("MSFT",))):
        with pytest.raises(ParameterError, match=r"it needs NEWS.*trading news fetch"):
            due(GOLD, request)


def backtest(lake: Path, **more: Any) -> BacktestRequest:
    return BacktestRequest(
        lake_dir=str(lake), strategy="news_sentiment", interval=Interval.DAY,
        sets=(NewsSentimentParameters(),), symbols=("AAPL",), **more,
    )  # fmt: skip


def test_a_backtest_sees_the_scores_of_gold(lake: Path) -> None:
    build(GOLD, asked(lake))
    history = known_bars(backtest(lake), "AAPL").history
    parameters = NewsSentimentParameters()
    context = history.context(parameters)
    found = strategy_named("news_sentiment").evaluate(
        history.seen, Interval.DAY, context, parameters
    )
    rows = [row for name in YEARS for row in pq.read_table(lake / name).to_pylist()]
    assert [None if math.isnan(v) else v for v in context[NEWS].tolist()] == [
        row["news_score"] for row in rows
    ]
    codes = {"buy": 1, "hold": 0, "sell": -1}
    assert found.signal.tolist() == [codes[row["signal"]] for row in rows]


def test_a_backtest_is_due_when_news_of_its_time_come(lake: Path) -> None:
    request = backtest(lake, end=date(2022, 6, 30))
    before = known_bars(request, "AAPL").digest
    write_news(lake, "AAPL", ("2022-06-30T20:00:00.000001", 0.3))
    assert known_bars(request, "AAPL").digest == before
    write_news(lake, "AAPL", ("2022-06-30T20:00:00", 0.3))
    assert known_bars(request, "AAPL").digest != before
