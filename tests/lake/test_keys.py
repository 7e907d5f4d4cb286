from __future__ import annotations

from collections import Counter
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.grain import Grain
from lake.keys import Partition, partition_at, partitions
from tests.markets import session_timestamps
from trading.arrays import Timestamps
from trading.errors import DataError, ParameterError

NEW_YORK = ZoneInfo("America/New_York")
HOUR = np.timedelta64(1, "h")


class Index:
    """Bars in memory, found the way `MarketData` finds them."""

    def __init__(self, timestamps: Timestamps) -> None:
        self._timestamps = timestamps
        self.read: set[int] = set()

    @property
    def rows(self) -> int:
        return len(self._timestamps)

    def lower_bound(self, stamp: np.datetime64) -> int:
        return int(np.searchsorted(self._timestamps, stamp))

    def first_stamp(self) -> np.datetime64:
        stamp: np.datetime64 = self._timestamps[0]
        return stamp

    def stamps(self, first: int, last: int) -> Timestamps:
        self.read.update(range(first, last))
        return self._timestamps[first:last]


@pytest.mark.parametrize(
    ("grain", "paths", "labels", "rows"),
    [
        (
            "bar",
            ["20240102_093000", "20240102_103000"],
            ["2024-01-02 09:30", "2024-01-02 10:30"],
            1,
        ),
        ("session", ["20240102", "20240103"], ["2024-01-02", "2024-01-03"], 8),
        ("month", ["2024-01", "2024-02"], ["2024-01", "2024-02"], 30 * 8),
        ("year", ["2024", "2025"], ["2024", "2025"], 365 * 8),
        ("all", ["all"], ["all"], 400 * 8),
    ],
)
def test_names_of_the_grains(grain: str, paths: list[str], labels: list[str], rows: int) -> None:
    every = partitions(session_timestamps(400), "BRK-B", Grain(grain))
    assert [part.relative_path for part in every[:2]] == [f"BRK-B/{p}.parquet" for p in paths]
    assert [part.label for part in every[:2]] == [f"BRK-B {label}" for label in labels]
    assert every[0].timestamp == "2024-01-02T09:30:00-05:00"
    assert len(every[0]) == rows


stamps_of_hours = st.sets(st.integers(0, 3 * 366 * 24), min_size=1, max_size=40).map(
    lambda hours: np.datetime64("2022-12-30", "ns") + np.array(sorted(hours)) * HOUR
)


@settings(max_examples=60, deadline=None)
@given(stamps=stamps_of_hours, grain=st.sampled_from(list(Grain)))
def test_partitions_cover_every_bar_once_and_no_two_share_a_name(
    stamps: Timestamps, grain: Grain
) -> None:
    every = partitions(stamps, "AAPL", grain)
    assert every[0].first == 0
    assert every[-1].last == len(stamps)
    assert all(one.last == two.first and one.first < one.last for one, two in pairwise(every))
    for name in ("relative_path", "timestamp", "label"):
        assert max(Counter(getattr(part, name) for part in every).values()) == 1
    assert every == sorted(every)


@settings(max_examples=60, deadline=None)
@given(stamps=stamps_of_hours, grain=st.sampled_from(list(Grain)), data=st.data())
def test_partition_at_finds_the_partition_of_any_of_its_bars(
    stamps: Timestamps, grain: Grain, data: st.DataObject
) -> None:
    row = data.draw(st.integers(0, len(stamps) - 1))
    expected = next(p for p in partitions(stamps, "AAPL", grain) if p.first <= row < p.last)
    moment: datetime = stamps[row].astype("datetime64[s]").item().replace(tzinfo=ZoneInfo("UTC"))
    for value in (moment, moment.isoformat(), moment.astimezone(NEW_YORK).isoformat()):
        found = partition_at(Index(stamps), "AAPL", value, grain)
        assert found == expected
        assert (found.first, found.last) == (expected.first, expected.last)
        assert found.timestamp == expected.timestamp


def test_finding_one_bar_reads_few_timestamps() -> None:
    index = Index(session_timestamps(400))
    for grain in Grain:
        partition_at(index, "AAPL", "2024-05-02T10:30:00-05:00", grain)
    assert len(index.read) < 10


def test_a_session_is_a_new_york_date_and_not_a_utc_one() -> None:
    evening = np.datetime64("2024-01-03T02:00", "ns")  # 21:00 on the 2nd in New York
    stamps = np.array([evening - HOUR, evening, evening + 4 * HOUR])
    every = partitions(stamps, "ES=F", Grain.SESSION)
    assert [(part.label, len(part)) for part in every] == [
        ("ES=F 2024-01-02", 2),
        ("ES=F 2024-01-03", 1),
    ]


@pytest.mark.parametrize(
    ("grain", "names"),
    [
        (Grain.BAR, ["20240131_000000", "20240201_000000", "20240202_000000"]),
        (Grain.SESSION, ["20240131", "20240201", "20240202"]),
        (Grain.MONTH, ["2024-01", "2024-02"]),
        (Grain.YEAR, ["2024"]),
    ],
)
def test_bars_that_are_plain_dates_belong_to_those_dates(grain: Grain, names: list[str]) -> None:
    stamps = np.array(["2024-01-31", "2024-02-01", "2024-02-02"], "datetime64[ns]")
    every = partitions(stamps, "AAPL", grain)
    assert [part.relative_path for part in every] == [f"AAPL/{name}.parquet" for name in names]
    for part in every:
        assert part.timestamp.endswith("T00:00:00+00:00")
        assert partition_at(Index(stamps), "AAPL", part.timestamp, grain) == part
        assert partition_at(Index(stamps), "AAPL", part.start.astimezone(NEW_YORK), grain) == part


def test_late_trading_at_midnight_utc_is_no_plain_date() -> None:
    hours = np.datetime64("2024-01-02T09:00", "ns") + np.arange(16) * HOUR  # 04:00 to 19:00
    every = partitions(hours, "AAPL", Grain.SESSION)
    assert [(part.label, len(part)) for part in every] == [("AAPL 2024-01-02", 16)]


def test_the_hour_that_exists_twice_makes_two_files() -> None:
    stamps = np.datetime64("2024-11-03T04:30", "ns") + np.arange(4) * HOUR
    every = partitions(stamps, "ES=F", Grain.BAR)
    assert [part.relative_path for part in every] == [
        "ES=F/20241103_003000.parquet",
        "ES=F/20241103_013000.parquet",
        "ES=F/20241103_013000-0500.parquet",
        "ES=F/20241103_023000.parquet",
    ]
    assert [part.label for part in every[1:3]] == [
        "ES=F 2024-11-03 01:30",
        "ES=F 2024-11-03 01:30 EST",
    ]
    assert every[1] != every[2]
    assert every[1] < every[2]
    for part in every:
        assert partition_at(Index(stamps), "ES=F", part.timestamp, Grain.BAR) == part


def test_days_of_23_and_25_hours_are_whole_sessions() -> None:
    for day, hours in (("2024-03-10", 23), ("2024-11-03", 25)):
        stamps = np.datetime64(day, "ns") + np.arange(-24, 72) * HOUR
        index = Index(stamps)
        noon = f"{day}T12:00:00-0{'4' if hours == 23 else '5'}:00"
        assert len(partition_at(index, "ES=F", noon, Grain.SESSION)) == hours


def test_seconds_show_in_the_label_only_where_there_are_some() -> None:
    stamps = np.datetime64("2024-01-02T14:30", "ns") + np.array([0, 15]).astype("timedelta64[s]")
    every = partitions(stamps, "AAPL", Grain.BAR)
    assert [part.label for part in every] == ["AAPL 2024-01-02 09:30", "AAPL 2024-01-02 09:30:15"]
    assert every[1].relative_path == "AAPL/20240102_093015.parquet"


def test_bars_within_one_second_are_refused() -> None:
    stamps = session_timestamps(1) + np.timedelta64(250, "ms")
    with pytest.raises(DataError, match="is not a whole second; round the timestamps"):
        partitions(stamps, "AAPL", Grain.BAR)
    with pytest.raises(DataError, match="is not a whole second"):
        partition_at(Index(stamps), "AAPL", "2024-01-02T09:30:00.250-05:00", Grain.BAR)


@pytest.mark.parametrize(
    ("stamp", "nearest"),
    [
        ("2024-01-02T09:45:00-05:00", "2024-01-02T09:30:00-05:00 and 2024-01-02T10:30:00-05:00"),
        ("2023-06-01T09:30:00-04:00", "2024-01-02T09:30:00-05:00"),
        ("2025-06-01T09:30:00-04:00", "2024-01-04T16:00:00-05:00"),
    ],
)
@pytest.mark.parametrize("grain", list(Grain))
def test_what_is_no_bar_is_answered_with_the_nearest(
    stamp: str, nearest: str, grain: Grain
) -> None:
    with pytest.raises(ParameterError, match="is not a bar of the data") as error:
        partition_at(Index(session_timestamps(3)), "AAPL", stamp, grain)
    assert error.value.next_step == f"the nearest bars are {nearest}"


@pytest.mark.parametrize("name", ["../AAPL", "", "aapl", "A/B", "A\\B", "AAPL\n"])
def test_no_other_name_than_a_contracts_becomes_a_path(name: str) -> None:
    stamps = session_timestamps(1)
    for make in (
        lambda: partitions(stamps, name, Grain.BAR),
        lambda: partition_at(Index(stamps), name, "2024-01-02T09:30:00-05:00", Grain.BAR),
        lambda: Partition(name, datetime.now(NEW_YORK), Grain.BAR, 0, 1).relative_path,
    ):
        with pytest.raises(ParameterError, match="contract="):
            make()


def test_no_bars_make_no_partitions() -> None:
    for grain in Grain:
        assert partitions(session_timestamps(0), "AAPL", grain) == []
