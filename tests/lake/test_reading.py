"""Reading the lake: one dataset as Arrow, and SQL over all of it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

import lake as lakes
from lake.gold.dataset import GoldDataset
from lake.gold.request import GoldRequest
from lake.grain import Grain
from lake.silver.days import SilverDaysDataset
from lake.silver.minutes import SilverDataset
from lake.silver.request import SilverRequest
from lake.silver.table import schema_of
from tests.lake.bronze_files import write_minutes
from tests.lake.building import build
from tests.s3 import SessionS3
from trading.bars.intervals import Interval
from trading.errors import ParameterError

FIRST, LAST = date(2024, 1, 29), date(2024, 2, 2)


def fill(lake: str, *symbols: str) -> None:
    """Five sessions of each symbol, with the signals of two strategies."""
    for symbol in symbols:
        write_minutes(lake, symbol, FIRST, LAST)
    build(SilverDataset(), SilverRequest(lake_dir=lake))
    build(SilverDaysDataset(), SilverRequest(lake_dir=lake))
    for strategy in ("vegas_channel", "rsi_reversion"):
        intervals = (Interval.MINUTES_5, Interval.DAY)
        build(GoldDataset(), GoldRequest(lake_dir=lake, strategy=strategy, intervals=intervals))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A lake in a folder whose name has what patterns are made of."""
    folder = tmp_path_factory.mktemp("lake [a]*'s")
    fill(str(folder), "AAPL", "ES=F")
    return str(folder)


def test_a_dataset_comes_as_arrow_with_its_documented_columns(lake: str) -> None:
    table = lakes.read("silver", ["ES=F", "AAPL"], "5m", lake_dir=lake)
    assert table.schema.names == ["symbol", *schema_of("silver").names]
    assert table.num_rows == 2 * 5 * 78
    assert table["symbol"].to_pylist() == ["ES=F"] * 390 + ["AAPL"] * 390
    stamps = table["timestamp"].to_pylist()
    assert stamps[:390] == sorted(stamps[:390])
    assert set(table["interval"].to_pylist()) == {"5m"}
    days = lakes.read("silver_days", "AAPL", "1d", lake_dir=lake)
    assert days.num_rows == 5
    gold = lakes.read("gold", "AAPL", "5m", strategy="rsi_reversion", lake_dir=lake)
    assert gold.schema.names[:3] == ["symbol", "timestamp", "available_at"]
    assert gold.schema.names[-1] == "signal"
    assert lakes.read("bronze", "AAPL", "1m", lake_dir=lake).num_rows > 5 * 390
    assert lakes.read("silver", "MSFT", "5m", lake_dir=lake).num_rows == 0


def test_time_is_cut_by_new_york_dates_or_by_moments(lake: str) -> None:
    day = date(2024, 1, 31)
    of_day = lakes.read("silver", "AAPL", "5m", day, day, lake_dir=lake)
    assert of_day.num_rows == 78
    opens, noon = datetime(2024, 1, 31, 14, 30, tzinfo=UTC), datetime(2024, 1, 31, 17, tzinfo=UTC)
    morning = lakes.read("silver", "AAPL", "5m", opens, noon, lake_dir=lake)
    assert morning.num_rows == 30
    assert morning["timestamp"].to_pylist()[0] == opens
    assert morning["timestamp"].to_pylist()[-1] < noon


def test_what_cannot_be_read_is_refused_in_a_sentence(lake: str) -> None:
    with pytest.raises(ParameterError, match=r"strategy=None is not one that gold has: rsi"):
        lakes.read("gold", "AAPL", "5m", lake_dir=lake)
    with pytest.raises(ParameterError, match="dataset='platinum'"):
        lakes.read("platinum", "AAPL", "5m", lake_dir=lake)
    with pytest.raises(ParameterError, match="interval='1h'"):
        lakes.read("silver", "AAPL", "1h", lake_dir=lake)
    with pytest.raises(ParameterError, match="time-zone aware"):
        lakes.read("silver", "AAPL", "5m", datetime(2024, 1, 31), lake_dir=lake)  # noqa: DTZ001


def test_sql_sees_all_four_views_with_what_paths_say(lake: str) -> None:
    with lakes.connect(lake) as sql:
        counted = sql.arrow(
            "SELECT symbol, strategy, interval, count(*) AS n FROM gold GROUP BY ALL ORDER BY ALL"
        ).to_pylist()
        assert [tuple(row.values()) for row in counted] == [
            (symbol, strategy, interval, n)
            for symbol in ("AAPL", "ES=F")
            for strategy in ("rsi_reversion", "vegas_channel")
            for interval, n in (("1d", 5), ("5m", 390))
        ]
        (row,) = sql.arrow(
            "SELECT source, interval, count(*) AS n FROM bronze WHERE symbol = 'ES=F' GROUP BY ALL"
        ).to_pylist()
        assert (row["source"], row["interval"]) == ("synthetic", "1m")
        assert row["n"] > 5 * 390
        read = lakes.read("silver", "AAPL", "13m", lake_dir=lake)
        same = sql.arrow(
            "SELECT * FROM silver WHERE symbol = 'AAPL' AND interval = '13m' ORDER BY timestamp"
        )
        assert same["vwap"].to_pylist() == read["vwap"].to_pylist()
        assert sql.arrow("SELECT count(*) AS n FROM silver_days").to_pylist()[0]["n"] > 10


def test_a_condition_on_a_path_opens_no_other_files(lake: str) -> None:
    with lakes.connect(lake) as sql:
        said = sql.relation("SELECT close FROM silver WHERE symbol = 'AAPL'").explain("analyze")
        assert re.search(r"Scanning Files: 5/10", said), said
        of_one = "strategy = 'rsi_reversion' AND symbol = 'AAPL' AND interval = '1d'"
        said = sql.relation(f"SELECT close FROM gold WHERE {of_one}").explain("analyze")  # noqa: S608
        assert re.search(r"Scanning Files: 1/", said), said


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO '{lake}/x.csv'",
        "COPY silver TO '{lake}/silver/AAPL/20240129.parquet'",
        "CREATE TABLE t (i INT)",
        "SELECT 1; DROP VIEW gold",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/x.csv'",
        "SET enable_external_access = true",
        "SELECT * FROM read_csv('/etc/hosts')",
        "ATTACH '{lake}/x.db'",
        "SELECT nothing FROM gold",
        "",
    ],
)
def test_what_does_more_than_read_the_lake_is_refused(lake: str, query: str) -> None:
    before = sorted(str(file) for file in Path(lake).rglob("*"))
    with lakes.connect(lake) as sql, pytest.raises(ParameterError, match="query="):
        sql.arrow(query.replace("{lake}", lake.replace("'", "''")))
    assert sorted(str(file) for file in Path(lake).rglob("*")) == before


def test_views_of_an_empty_lake_have_columns_and_no_rows(tmp_path: Path) -> None:
    with lakes.connect(str(tmp_path)) as sql:
        for view in ("bronze", "silver", "silver_days", "gold"):
            answer = sql.arrow(f"SELECT * FROM {view} WHERE symbol = 'AAPL'")  # noqa: S608
            assert answer.num_rows == 0
            assert {"symbol", "timestamp", "open"} <= set(answer.column_names)


def test_a_month_and_its_sessions_are_not_counted_twice(tmp_path: Path) -> None:
    write_minutes(tmp_path, "AAPL", FIRST, LAST)
    build(SilverDataset(), SilverRequest(lake_dir=str(tmp_path)))
    write_minutes(tmp_path, "AAPL", FIRST, date(2024, 1, 31), Grain.MONTH)
    build(SilverDataset(), SilverRequest(lake_dir=str(tmp_path)))
    assert len(list((tmp_path / "silver/AAPL").iterdir())) == 6
    with lakes.connect(str(tmp_path)) as sql:
        query = "SELECT count(*) AS n FROM silver WHERE interval = '1m'"
        assert sql.arrow(query).to_pylist() == [{"n": 5 * 390}]
    assert lakes.read("silver", "AAPL", "1m", lake_dir=str(tmp_path)).num_rows == 5 * 390


def test_a_lake_in_a_store_of_objects_reads_the_same(
    lake: str, s3_server: SessionS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    location = f"{s3_server.new_bucket()}/lake"
    fill(location, "AAPL", "ES=F")
    here = lakes.read("gold", ["AAPL", "ES=F"], "5m", strategy="vegas_channel", lake_dir=lake)
    there = lakes.read("gold", ["AAPL", "ES=F"], "5m", strategy="vegas_channel", lake_dir=location)
    assert there.equals(here)
    with lakes.connect(location) as sql:
        query = "SELECT symbol, close FROM gold WHERE strategy = 'vegas_channel' ORDER BY ALL"
        with lakes.connect(lake) as local:
            assert sql.arrow(query).equals(local.arrow(query))
        with pytest.raises(ParameterError, match="query="):
            sql.arrow("SELECT * FROM read_csv('/etc/hosts')")
