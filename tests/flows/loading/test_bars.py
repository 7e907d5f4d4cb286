"""Bars from the lake into the database: what is due, whatever came before."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import partial

import numpy as np
import pytest

from database.bars.reading import corrections, read_bars
from database.bars.retention import drop_expired_months, first_kept
from database.connection import Database
from flows.loading.bars import load_symbol, plan_symbol
from flows.loading.verification import LakeVerification
from lake.bronze.counted import counted_bronze
from storage.errors import ContentError
from tests.database.batches import assert_same, versions
from tests.flows.loading.bronze import (
    ALWAYS,
    FIRST_KEPT,
    columns,
    days,
    load,
    minutes,
    put,
    restated,
)
from tests.lake.bronze.deliveries import Lake
from trading.bars.intervals import Interval
from trading.bars.kept import bars_across
from trading.bars.model import joined
from trading.errors import ParameterError

YEAR = days(date(2020, 1, 1), date(2020, 12, 31))
NEXT = days(date(2021, 1, 1), date(2021, 12, 31), seed=1)


def test_what_was_loaded_is_not_loaded_again(lake: Lake, database: Database) -> None:
    put(lake, YEAR, "2020")
    put(lake, NEXT, "2021")
    assert [result.inserted for result in load(lake, database)] == [len(YEAR), len(NEXT)]
    assert_same(read_bars(database, "AAPL", Interval.DAY, *ALWAYS), joined([YEAR, NEXT], "AAPL"))
    before = versions(database, "bar_1d")
    assert load(lake, database) == []
    assert versions(database, "bar_1d") == before


def test_a_file_that_changed_is_loaded_and_its_correction_kept(
    lake: Lake, database: Database
) -> None:
    put(lake, YEAR, "2020")
    put(lake, NEXT, "2021")
    load(lake, database)
    put(lake, restated(YEAR, 7), "2020")
    [result] = load(lake, database)
    assert (result.inserted, result.updated, result.unchanged) == (0, 1, len(YEAR) - 1)
    [correction] = corrections(database, "AAPL", Interval.DAY)
    assert (correction.column_name, correction.new_value) == (
        "volume",
        repr(float(YEAR.volume[7] + 1.0)),
    )
    assert load(lake, database) == []


def test_files_older_than_the_months_that_are_kept_stay_in_the_lake(
    lake: Lake, database: Database
) -> None:
    for year in (2017, 2018, 2019):
        put(lake, days(date(year, 1, 1), date(year, 12, 31)), str(year))
    [result] = load(lake, database)
    assert result.inserted == 252
    # An evening in New York is the next day in UTC: of the last month before, too.
    eve = minutes(date(2018, 12, 31))
    put(lake, eve, "20181231", interval=Interval.MINUTE)
    put(lake, minutes(date(2018, 12, 28)), "20181228", interval=Interval.MINUTE)
    [result] = load(lake, database, interval=Interval.MINUTE)
    assert result.inserted == len(eve)


def test_the_first_source_counts_for_the_days_that_it_has(lake: Lake, database: Database) -> None:
    january = days(date(2020, 1, 1), date(2020, 1, 31), seed=2)
    put(lake, january, "2020-01", "polygon")
    put(lake, YEAR, "2020", "yahoo")
    load(lake, database, ["polygon", "yahoo"])
    found = columns(database)
    assert found["source"] == ["polygon"] * len(january) + ["yahoo"] * (len(YEAR) - len(january))
    assert found["volume"] == [*january.volume, *YEAR.volume[len(january) :]]
    assert load(lake, database, ["polygon", "yahoo"]) == []


def test_a_source_that_comes_to_count_replaces_the_bars_of_the_other(
    lake: Lake, database: Database
) -> None:
    """Unless they are removed, an older file loses, and bars that it lacks remain."""
    february = days(date(2020, 2, 1), date(2020, 2, 29), seed=3)[1:]
    put(lake, february, "2020-02", "polygon")
    put(lake, YEAR, "2020", "yahoo")
    load(lake, database, ["yahoo"])
    load(lake, database, ["polygon", "yahoo"])
    mixed = columns(database)
    assert mixed["source"].count("polygon") == len(february)
    lost = days(date(2020, 2, 1), date(2020, 2, 29)).timestamps[0]
    assert lost.astype("datetime64[us]").item().replace(tzinfo=UTC) not in mixed["timestamp"]

    load(lake, database, ["yahoo"])
    assert columns(database)["source"] == ["yahoo"] * len(YEAR)


def test_a_file_of_days_that_all_count_for_another_source_is_never_due(
    lake: Lake, database: Database
) -> None:
    put(lake, YEAR, "2020", "polygon")
    put(lake, days(date(2020, 3, 1), date(2020, 3, 31)), "2020-03", "yahoo")
    assert len(load(lake, database, ["polygon", "yahoo"])) == 1
    assert load(lake, database, ["polygon", "yahoo"]) == []


def test_a_file_that_was_removed_from_the_lake_goes_from_the_database_too(
    lake: Lake, database: Database
) -> None:
    put(lake, YEAR, "2020")
    put(lake, NEXT, "2021")
    load(lake, database)
    (lake.folder / "bronze/polygon/1d/AAPL/2020.parquet").unlink()
    load(lake, database)
    assert_same(read_bars(database, "AAPL", Interval.DAY, *ALWAYS), NEXT)


def test_without_an_order_of_sources_none_is_chosen(lake: Lake, database: Database) -> None:
    put(lake, YEAR, "2020", "polygon")
    put(lake, YEAR, "2020", "yahoo")
    with pytest.raises(ParameterError, match="come from polygon, yahoo"):
        load(lake, database, [])


def test_a_damaged_file_is_an_error_and_the_files_before_it_are_loaded(
    lake: Lake, database: Database
) -> None:
    put(lake, YEAR, "2020")
    put(lake, NEXT, "2021")
    plan = plan_symbol(
        lake.directory, database, "AAPL", Interval.DAY, sources=["polygon"], first_kept=FIRST_KEPT
    )
    file = lake.folder / "bronze/polygon/1d/AAPL/2021.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ContentError, match="damaged"):
        list(load_symbol(database, plan))
    assert_same(read_bars(database, "AAPL", Interval.DAY, *ALWAYS), YEAR)
    with pytest.raises(ContentError, match="damaged"):
        load(lake, database)


TODAY = date(2025, 3, 10)
DAILY = joined([YEAR, NEXT], "AAPL")


def across(lake: Lake, database: Database) -> None:
    """Readers get what the lake has, wherever the border lies."""
    for years in (4, 5, 100):
        border = datetime.combine(first_kept(years, TODAY), time(), UTC)
        bronze = counted_bronze(lake.directory, "AAPL", Interval.DAY, ["polygon"])
        store = partial(read_bars, database, "AAPL", Interval.DAY)
        for start, end in (ALWAYS, (ALWAYS[0], border), (border, ALWAYS[1])):
            found = bars_across(border, start, end, archive=bronze.between, store=store)
            assert_same(found, bronze.between(start, end))


def test_reads_across_the_border_give_one_answer_before_and_after_a_drop(
    lake: Lake, database: Database
) -> None:
    put(lake, YEAR, "2020")
    put(lake, NEXT, "2021")
    load(lake, database, first_kept=date(1925, 1, 1))
    across(lake, database)
    verified = LakeVerification(lake.directory)
    outcomes = drop_expired_months(database, Interval.DAY, 5, TODAY, verified)
    assert [(f"{o.month:%m}", o.state, o.rows) for o in outcomes] == [
        ("01", "dropped", 21), ("02", "dropped", 19),
    ]  # fmt: skip
    for years in (4, 5):
        border = datetime.combine(first_kept(years, TODAY), time(), UTC)
        bronze = counted_bronze(lake.directory, "AAPL", Interval.DAY, ["polygon"])
        store = partial(read_bars, database, "AAPL", Interval.DAY)
        found = bars_across(border, *ALWAYS, archive=bronze.between, store=store)
        assert_same(found, DAILY)
    assert load(lake, database, first_kept=first_kept(5, TODAY)) == []
    # To keep more years again brings back what was dropped, before a reader relies on it.
    load(lake, database, first_kept=first_kept(100, TODAY))
    across(lake, database)


def test_a_month_is_kept_unless_the_lake_has_all_its_bars(lake: Lake, database: Database) -> None:
    put(lake, YEAR, "2020")
    load(lake, database)
    verified = LakeVerification(lake.directory)

    def states() -> list[str]:
        return [o.state for o in drop_expired_months(database, Interval.DAY, 5, TODAY, verified)]

    put(lake, restated(YEAR, 0), "2020")
    assert states() == ["kept", "dropped"]
    put(lake, YEAR[1:], "2020")
    assert states() == ["kept"]
    file = lake.folder / "bronze/polygon/1d/AAPL/2020.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert states() == ["kept"]
    file.unlink()
    assert states() == ["kept"]
    put(lake, YEAR, "2020")
    assert states() == ["dropped"]
    assert np.array_equal(
        read_bars(database, "AAPL", Interval.DAY, *ALWAYS).timestamps, YEAR.timestamps[40:]
    )
