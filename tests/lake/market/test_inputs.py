from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.market import inputs as market_data
from lake.market.inputs import (
    PRICE_ROW_GROUP,
    PRICES_FILE,
    SPX_FILE,
    VIX_FILE,
    MarketData,
    open_market_data,
)
from storage.errors import StorageError
from storage.parquet import column_file
from storage.parquet.column_file import ColumnFile
from tests.market_files import opened, pandas_frame, rewritten
from tests.markets import Market, bars_of, random_market, session_timestamps
from trading.bars.context import as_of
from trading.errors import DataError, ParameterError
from trading.strategies.market_model.parameters import StrategyParameters

HOUR = np.timedelta64(1, "h")
STRATEGY = StrategyParameters()


def test_what_was_written_is_read(market: Market, input_dir: str) -> None:
    data = opened(input_dir)
    assert data.contracts == market.contracts
    assert data.rows == len(market.timestamps)
    np.testing.assert_array_equal(data.timestamps(), market.timestamps)
    for contract, name in enumerate(market.contracts):
        bars, expected = data.bars(name, 0, data.rows, STRATEGY), bars_of(market, contract)
        for field in ("timestamps", "price", "vix", "spx"):
            np.testing.assert_array_equal(getattr(bars, field), getattr(expected, field))


def test_missing_values_come_back_as_missing(market: Market, tmp_path: Path) -> None:
    gaps = market.with_price(3, 1, np.nan)
    gaps.spx[5] = np.nan
    gaps.vix[6] = np.nan
    bars = opened(gaps.write(tmp_path)).bars("BRK-B", 0, 24, STRATEGY)
    assert np.flatnonzero(np.isnan(bars.price)).tolist() == [3]
    assert np.flatnonzero(np.isnan(bars.spx)).tolist() == [5]
    assert bars.vix[6] == gaps.vix[5], "the last known VIX counts as long as it is fresh"
    assert pq.read_table(tmp_path / PRICES_FILE).column("BRK-B").null_count == 1


def test_other_readers_see_aware_timestamps_and_no_index(market: Market, input_dir: str) -> None:
    frame = pd.read_parquet(Path(input_dir) / PRICES_FILE)
    assert list(frame.columns) == ["timestamp", *market.contracts]
    assert str(frame["timestamp"].dtype.tz) == "UTC"
    assert frame["timestamp"].iloc[0] == pd.Timestamp("2024-01-02 09:30", tz="America/New_York")


@settings(max_examples=30, deadline=None)
@given(
    first=st.integers(0, 199),
    length=st.integers(0, 200),
    stamp=st.integers(-2, 402),
    rows=st.just(200),
)
def test_any_window_of_any_row_groups_is_that_of_the_whole(
    many_row_groups: MarketData, first: int, length: int, stamp: int, rows: int
) -> None:
    whole = many_row_groups.bars("AAPL", 0, rows, STRATEGY)
    last = min(rows, first + length)
    window = many_row_groups.bars("AAPL", first, last, STRATEGY)
    for field in ("timestamps", "price", "vix", "spx"):
        np.testing.assert_array_equal(getattr(window, field), getattr(whole, field)[first:last])
    half_hours = whole.timestamps[0] + stamp * np.timedelta64(30, "m")
    expected = np.searchsorted(whole.timestamps, half_hours)
    assert many_row_groups.lower_bound(half_hours) == expected


@pytest.fixture(scope="module", params=["statistics", "none"])
def many_row_groups(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> MarketData:
    """200 hourly bars in row groups of 7, with and without statistics of the timestamps."""
    folder = tmp_path_factory.mktemp("groups")
    hourly = np.datetime64("2024-01-02T14:30", "ns") + np.arange(200) * HOUR
    random_market(hourly).write(folder)
    for name in (PRICES_FILE, VIX_FILE, SPX_FILE):
        statistics = request.param == "statistics"
        rewritten(folder / name, lambda t: t, row_group_size=7, write_statistics=statistics)
    return opened(folder)


def test_one_window_reads_its_own_column_and_row_group_only(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    market.write(tmp_path)
    for name in (PRICES_FILE, VIX_FILE, SPX_FILE):
        rewritten(tmp_path / name, lambda t: t, row_group_size=4)
    read: list[tuple[str, int, str]] = []
    decoded = ColumnFile._decoded

    def recording(file: ColumnFile, group: int, column: str) -> npt.NDArray[np.float64]:
        read.append((Path(file.url).name, group, column))
        return decoded(file, group, column)

    monkeypatch.setattr(ColumnFile, "_decoded", recording)
    data = opened(tmp_path)
    row = data.lower_bound(market.timestamps[13])
    data.bars("MSFT", row - 1, row + 1, STRATEGY)
    prices = {(group, column) for name, group, column in read if name == PRICES_FILE}
    assert prices == {(3, "timestamp"), (3, "MSFT")}
    assert {group for name, group, _ in read if name == SPX_FILE} == {3}
    assert len(read) == len(set(read)), "no chunk is decoded twice"


def test_the_wide_files_footer_grows_by_the_row_group_not_by_the_bar(tmp_path: Path) -> None:
    footers = []
    for bars in (100, 2_000):
        hourly = np.datetime64("2000-01-03", "ns") + np.arange(bars) * HOUR
        random_market(hourly).write(tmp_path)
        footers.append(pq.read_metadata(tmp_path / PRICES_FILE).serialized_size)
    assert footers[1] <= footers[0] + 32
    metadata = pq.read_metadata(tmp_path / PRICES_FILE)
    assert metadata.num_row_groups == -(-2_000 // PRICE_ROW_GROUP)
    assert b"ARROW:schema" not in (metadata.metadata or {})
    statistics = [metadata.row_group(0).column(i).statistics for i in range(metadata.num_columns)]
    assert [s is not None for s in statistics] == [True, False, False, False]


def test_decoded_chunks_are_bounded_and_cannot_be_changed(
    market: Market, input_dir: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(column_file, "CACHED_BYTES", 24 * 8)
    data = opened(input_dir)
    for name in market.contracts:
        bars = data.bars(name, 0, 24, STRATEGY)
        with pytest.raises(ValueError, match="read-only"):
            bars.price[0] = 0
    assert len(data.prices._chunks) == 2


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_files_written_by_pandas_with_a_named_index_are_read(
    market: Market, input_dir: str, unit: str, zone: str
) -> None:
    pandas_frame(market, unit, zone).to_parquet(Path(input_dir) / PRICES_FILE)
    data = opened(input_dir)
    assert data.contracts == market.contracts
    assert data.lower_bound(market.timestamps[9]) == 9
    bars = data.bars("MSFT", 8, 20, STRATEGY)
    np.testing.assert_array_equal(bars.timestamps, market.timestamps[8:20])
    np.testing.assert_array_equal(bars.price, market.prices[8:20, 2])


@pytest.mark.parametrize("dtype", ["float32", "int64", "int16", "uint8"])
def test_other_number_types_are_cast(market: Market, input_dir: str, dtype: str) -> None:
    frame = pandas_frame(market, "us", "UTC").astype({"AAPL": dtype})
    frame.to_parquet(Path(input_dir) / PRICES_FILE)
    bars = opened(input_dir).bars("AAPL", 0, 24, STRATEGY)
    assert bars.price.dtype == np.float64
    np.testing.assert_array_equal(bars.price, market.prices[:, 0].astype(dtype))


def test_a_file_replaced_after_opening_is_noticed(market: Market, input_dir: str) -> None:
    data = opened(input_dir)
    market.with_price(0, 0, 1.0).write(input_dir)
    with pytest.raises(StorageError, match="it changed while it was being read; run again"):
        data.bars("AAPL", 0, 24, STRATEGY)


def test_a_file_removed_after_opening_is_noticed(input_dir: str) -> None:
    data = opened(input_dir)
    (Path(input_dir) / VIX_FILE).unlink()
    with pytest.raises(StorageError, match="it changed while it was being read"):
        data.bars("AAPL", 0, 24, STRATEGY)


def test_opening_again_gives_the_same_data_until_a_file_changes(
    market: Market, input_dir: str
) -> None:
    first = open_market_data(input_dir)
    assert open_market_data(f"{input_dir}/") is first
    replace(market, vix=market.vix + 1).write(input_dir)
    second = open_market_data(input_dir)
    assert second is not first
    assert second.bars("AAPL", 0, 1, STRATEGY).vix[0] == market.vix[0] + 1


def test_few_opened_markets_are_kept(market: Market, tmp_path: Path) -> None:
    for number in range(market_data.CACHED_MARKETS + 2):
        open_market_data(market.write(tmp_path / str(number)))
    assert len(market_data._markets) == market_data.CACHED_MARKETS


def test_other_locations_than_local_ones_work(market: Market, tmp_path: Path) -> None:
    url = market.write(f"memory://{tmp_path.name}/input")
    bars = open_market_data(url).bars("MSFT", 3, 9, STRATEGY)
    np.testing.assert_array_equal(bars.price, market.prices[3:9, 2])


def test_the_vix_counts_up_to_its_tolerance(market: Market, tmp_path: Path) -> None:
    few = replace(market, vix_timestamps=market.vix_timestamps[:1], vix=market.vix[:1])
    data = opened(few.write(tmp_path))
    for hours, last_bar in ((0.25, 0), (1.25, 1), (1.2, 0), (0.0, -1)):
        vix = data.bars("AAPL", 0, 24, StrategyParameters(vix_tolerance_hours=hours)).vix
        assert np.flatnonzero(~np.isnan(vix)).tolist() == list(range(last_bar + 1))


def test_no_vix_of_the_future_and_no_spx_of_another_hour(market: Market, tmp_path: Path) -> None:
    late = np.timedelta64(1, "s")
    shifted = replace(
        market,
        vix_timestamps=market.timestamps + late,
        spx_timestamps=market.timestamps + late,
    )
    bars = opened(shifted.write(tmp_path)).bars("AAPL", 0, 24, STRATEGY)
    assert np.isnan(bars.vix[0])
    np.testing.assert_array_equal(bars.vix[1:], market.vix[:-1])
    assert np.isnan(bars.spx).all()


@settings(max_examples=60, deadline=None)
@given(
    stamps=st.sets(st.integers(0, 60), max_size=20),
    known=st.dictionaries(st.integers(0, 60), st.floats(1, 99), max_size=20),
    tolerance=st.integers(0, 9),
)
def test_as_of_is_the_last_fresh_value(
    stamps: set[int], known: dict[int, float], tolerance: int
) -> None:
    def times(hours: list[int]) -> npt.NDArray[np.datetime64]:
        return np.datetime64("2024-01-01", "ns") + np.array(hours, np.int64) * HOUR

    wanted, known_at = sorted(stamps), sorted(known)
    values = np.array([known[at] for at in known_at])
    found = as_of(times(wanted), times(known_at), values, tolerance * HOUR)
    for stamp, value in zip(wanted, found, strict=True):
        fresh = [known[at] for at in known_at if stamp - tolerance <= at <= stamp]
        np.testing.assert_equal(value, fresh[-1] if fresh else np.nan)


def test_empty_windows_are_empty(input_dir: str) -> None:
    data = opened(input_dir)
    assert len(data.bars("AAPL", 0, 0, STRATEGY)) == 0
    assert len(data.bars("AAPL", 24, 24, STRATEGY)) == 0
    with pytest.raises(IndexError):
        data.bars("AAPL", 20, 25, STRATEGY)


def test_what_does_not_fit_is_not_written(market: Market, tmp_path: Path) -> None:
    backwards = market.timestamps[::-1]
    faulty = {
        "do not fit": replace(market, prices=market.prices[:-1]),
        "different contracts": replace(market, contracts=("AAPL", "AAPL", "V")),
        "out of order": replace(market, spx_timestamps=backwards),
        "none, repeated": replace(market, vix_timestamps=market.timestamps[:0], vix=market.vix[:0]),
        "differ in length": replace(market, vix=market.vix[1:]),
        "not a whole second": replace(
            market, timestamps=market.timestamps + np.timedelta64(1, "ms")
        ),
    }
    for problem, wrong in faulty.items():
        with pytest.raises(DataError, match=problem):
            wrong.write(tmp_path / "input")
    with pytest.raises(ParameterError, match=r"contract='\.\./x'"):
        replace(market, contracts=("../x", "AAPL", "V")).write(tmp_path / "input")
    assert not (tmp_path / "input").exists()


def test_writing_is_deterministic(market: Market, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        market.write(tmp_path / folder)
    for name in (PRICES_FILE, VIX_FILE, SPX_FILE):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_session_timestamps_are_those_of_the_sample() -> None:
    local = pd.DatetimeIndex(session_timestamps(1), tz="UTC").tz_convert("America/New_York")
    assert [str(stamp)[11:16] for stamp in local] == [
        "09:30", "10:30", "11:30", "12:30", "13:30", "14:30", "15:30", "16:00",
    ]  # fmt: skip
