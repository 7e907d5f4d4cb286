from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.bars.batch import batch_of_bars, batch_of_table
from database.bars.supersession import packed, unpacked
from tests.database.batches import KNOWN, bars, batch, changed, minutes
from trading.bars.intervals import Interval
from trading.bars.model import VALUES, joined
from trading.errors import DataError, ParameterError


def table(count: int = 3) -> pa.Table:
    content = bars(minutes(count))
    stamps = pa.array(content.timestamps).cast(pa.timestamp("ns", "America/New_York"))
    columns = {name: getattr(content, name) for name in VALUES}
    return pa.table({"timestamp": stamps, "extra": ["x"] * count, **columns})


def test_order_and_repetition_make_no_other_batch() -> None:
    content = bars(minutes(5))
    expected = batch(content)
    mixed = batch(content[np.array([3, 0, 4, 1, 1, 2, 0])])
    assert mixed.digest == expected.digest
    assert mixed.rows.equals(expected.rows)


def test_of_two_rows_of_a_bar_the_last_one_counts() -> None:
    content = bars(minutes(2))
    later = changed(content, 1, volume=7.0)
    assert batch(joined([content, later], "AAPL")).digest == batch(later).digest
    assert batch(joined([later, content], "AAPL")).digest == batch(content).digest


def test_every_value_and_name_is_in_the_digest() -> None:
    content = bars(minutes(2))
    others = [
        batch(content, source="yahoo"),
        batch(replace(content, symbol="MSFT")),
        batch(content, interval=Interval.DAY),
        batch(replace(content, timestamps=minutes(3)[1:])),
        *(batch(changed(content, 0, **{name: values}))
          for name, values in {"open": 100.5, "high": 200, "low": 1, "close": 100.5, "volume": 1,
                               "vwap": 7, "trades": 9}.items()),
    ]  # fmt: skip
    assert len({one.digest for one in [batch(content), *others]}) == len(others) + 1
    assert batch(content, hours=1).digest == batch(content).digest


def test_two_zeros_are_one_value() -> None:
    content = bars(minutes(1))
    negative, positive = (batch(changed(content, 0, volume=zero)) for zero in (-0.0, 0.0))
    assert negative.digest == positive.digest


def test_a_table_of_a_bronze_file_is_taken() -> None:
    assert batch_of_table(table(), "AAPL", Interval.MINUTE, "polygon", KNOWN).digest == (
        batch(bars(minutes(3))).digest
    )
    spare = table().drop_columns(["vwap", "trades"])
    rows = batch_of_table(spare, "AAPL", Interval.MINUTE, "polygon", KNOWN).rows
    assert rows.column("vwap").null_count == rows.column("trades").null_count == 3


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (table().drop_columns(["close"]), "there is no column close"),
        (table().set_column(0, "timestamp", pa.array(minutes(3))), "time zone"),
        (table().set_column(0, "timestamp", pa.array([1, 2, 3])), "time zone"),
        (
            table().set_column(0, "timestamp", pa.nulls(3, pa.timestamp("us", "UTC"))),
            "time zone",
        ),
    ],
)
def test_a_table_without_what_makes_a_bar_is_refused(wrong: pa.Table, says: str) -> None:
    with pytest.raises(DataError, match=f"AAPL 1m of polygon: .*{says}"):
        batch_of_table(wrong, "AAPL", Interval.MINUTE, "polygon", KNOWN)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"close": np.nan}, "a price is missing"),
        ({"open": -1.0, "low": -2.0}, "not a positive number"),
        ({"high": np.inf}, "not a positive number"),
        ({"low": 500.0}, "the low lies above"),
        ({"high": 1.0}, "the high lies below"),
        ({"volume": -1.0}, "the volume is negative"),
        ({"volume": np.inf}, "the volume is negative or infinite"),
        ({"vwap": 0.0}, "vwap is not"),
        ({"trades": 1.5}, "trades is no count"),
        ({"trades": -1.0}, "trades is no count"),
        ({"trades": np.inf}, "trades is infinite"),
    ],
)
def test_what_is_no_bar_is_refused_with_its_time(values: dict[str, float], says: str) -> None:
    content = changed(bars(minutes(3)), 1, **values)
    with pytest.raises(DataError, match=rf"{says}.*2024-01-31T14:31:00Z and 0 more"):
        batch(content)


def test_a_missing_volume_is_a_bar() -> None:
    assert batch(changed(bars(minutes(1)), 0, volume=np.nan)).rows.column("volume").null_count == 1


def test_a_stamp_finer_than_the_tables_is_refused() -> None:
    with pytest.raises(DataError, match="finer than a microsecond"):
        batch(bars(minutes(2) + np.timedelta64(1, "ns")))


def test_names_and_moments_are_checked() -> None:
    content = bars(minutes(1))
    with pytest.raises(ParameterError, match="interval='1h' is not 1m or 1d"):
        batch(content, interval=Interval.HOUR)
    with pytest.raises(ParameterError, match="contract='a; DROP"):
        batch(replace(content, symbol="a; DROP TABLE"))
    with pytest.raises(ParameterError, match="source=''"):
        batch(content, source="")
    with pytest.raises(ParameterError, match=r"known_at=.* is not time-zone aware"):
        batch_of_bars(content, Interval.MINUTE, "x", datetime(2024, 1, 1))  # noqa: DTZ001


@given(st.sets(st.integers(-(2**33), 2**33), min_size=1))
def test_packed_timestamps_come_back(seconds: set[int]) -> None:
    stamps = np.array(sorted(seconds), "datetime64[s]").astype("datetime64[us]")
    assert (unpacked(packed(stamps)).astype("datetime64[us]") == stamps).all()


def test_a_year_of_minutes_packs_into_few_bytes() -> None:
    days = np.datetime64("2024-01-02T14:30", "ns") + np.arange(252) * np.timedelta64(1, "D")
    year = (days[:, None] + np.arange(390) * np.timedelta64(60, "s")).ravel()
    assert len(packed(year)) < len(year) // 10
