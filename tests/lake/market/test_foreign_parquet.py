"""Input files as other programs write them: read rightly, or refused for what they are."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.market.inputs import FILES, PRICES_FILE, SPX_FILE
from lake.market.validation import validate
from storage.errors import ContentError
from tests.market_files import opened, rewritten
from tests.markets import Market, random_market
from trading.bars.quality.findings import Status
from trading.errors import DataError
from trading.strategies.market_model.parameters import StrategyParameters

STRATEGY = StrategyParameters()
EACH_FILE = pytest.mark.parametrize("name", FILES)


def swapped(path: Path, rows: int, **options: object) -> None:
    """Write a file again in row groups of so many rows, the first two exchanged."""
    table = pq.read_table(path)
    order = [*range(rows, 2 * rows), *range(rows), *range(2 * rows, len(table))]
    pq.write_table(table.take(order), path, row_group_size=rows, **options)


@EACH_FILE
@pytest.mark.parametrize("statistics", [True, False])
def test_row_groups_out_of_order_are_refused_on_opening(
    input_dir: str, name: str, *, statistics: bool
) -> None:
    swapped(Path(input_dir) / name, 8, write_statistics=statistics)
    with pytest.raises(
        ContentError, match=f"{name}: its row groups are out of order: row 8 and .*"
    ):
        opened(input_dir)


@EACH_FILE
@pytest.mark.parametrize("statistics", [True, False])
def test_row_groups_in_order_are_read(
    market: Market, input_dir: str, name: str, *, statistics: bool
) -> None:
    path = Path(input_dir) / name
    pq.write_table(pq.read_table(path), path, row_group_size=8, write_statistics=statistics)
    bars = opened(input_dir).bars("AAPL", 3, 21, STRATEGY)
    np.testing.assert_array_equal(bars.spx, market.spx[3:21])
    np.testing.assert_array_equal(bars.vix, market.vix[3:21])


@EACH_FILE
def test_row_groups_that_share_a_timestamp_are_refused(input_dir: str, name: str) -> None:
    path = Path(input_dir) / name
    rewritten(path, lambda t: t.take([*range(8), *range(7, 24)]), row_group_size=8)
    with pytest.raises(ContentError, match=f"{name}: its row groups are out of order"):
        opened(input_dir)


def test_disorder_beside_the_window_is_noticed_where_it_hides_rows(input_dir: str) -> None:
    """The first timestamp stands in the middle, from where a search by halves goes on to the right:
    the window that it finds is empty, and so in order."""
    order = [*range(1, 13), 0, *range(13, 24)]
    rewritten(Path(input_dir) / SPX_FILE, lambda t: t.take(order))
    with pytest.raises(
        ContentError, match=f"{SPX_FILE}: timestamp 2024-.* in row 12 is out of order"
    ):
        opened(input_dir).bars("AAPL", 4, 6, STRATEGY)


def test_validation_tells_which_rows_are_out_of_order(input_dir: str) -> None:
    swapped(Path(input_dir) / PRICES_FILE, 8)
    report = validate(input_dir)
    order = next(check for check in report.checks if check.check == "order")
    assert (order.status, [finding.row for finding in order.findings]) == (Status.FAIL, [8])


@EACH_FILE
@pytest.mark.parametrize("rows", [8, 100])
def test_int96_timestamps_are_instants(
    market: Market, input_dir: str, name: str, rows: int
) -> None:
    path = Path(input_dir) / name
    pq.write_table(
        pq.read_table(path), path, use_deprecated_int96_timestamps=True, row_group_size=rows
    )
    assert pq.ParquetFile(path).schema.column(0).physical_type == "INT96"
    data = opened(input_dir)
    bars = data.bars("AAPL", 5, 20, STRATEGY)
    np.testing.assert_array_equal(bars.timestamps, market.timestamps[5:20])
    np.testing.assert_array_equal(bars.price, market.prices[5:20, 0])
    np.testing.assert_array_equal(bars.spx, market.spx[5:20])
    np.testing.assert_array_equal(bars.vix, market.vix[5:20])
    assert validate(input_dir, z_threshold=4.0).status is Status.PASS


def test_row_groups_of_int96_timestamps_out_of_order_are_refused(input_dir: str) -> None:
    swapped(Path(input_dir) / SPX_FILE, 8, use_deprecated_int96_timestamps=True)
    with pytest.raises(ContentError, match="its row groups are out of order"):
        opened(input_dir)


def test_int96_timestamps_beyond_nanoseconds_are_refused(input_dir: str) -> None:
    far = pa.array([253_402_300_799_000_000], pa.timestamp("us", "UTC"))
    table = pa.table({"timestamp": far, "SPX": [1.0]})
    pq.write_table(table, Path(input_dir) / SPX_FILE, use_deprecated_int96_timestamps=True)
    with pytest.raises(ContentError, match="outside the years 1678 to 2261"):
        opened(input_dir).bars("AAPL", 0, 24, STRATEGY)


@pytest.mark.parametrize("digits", [9, 18, 38])
def test_decimal_prices_are_numbers(market: Market, input_dir: str, digits: int) -> None:
    kind = pa.decimal128(digits, 4)
    cents = market.prices.round(2)
    cents[3, 0] = np.nan

    def decimals(column: np.ndarray) -> pa.Array:
        return pa.array([None if np.isnan(v) else Decimal(f"{v:.2f}") for v in column], kind)

    rewritten(
        Path(input_dir) / PRICES_FILE,
        lambda t: pa.table(
            {"timestamp": t["timestamp"]}
            | {name: decimals(cents[:, i]) for i, name in enumerate(market.contracts)}
        ),
        store_decimal_as_integer=digits < 38,  # as DuckDB writes them, and as Spark does
    )
    np.testing.assert_allclose(opened(input_dir).bars("AAPL", 0, 24, STRATEGY).price, cents[:, 0])
    checks = {check.check: check.status for check in validate(input_dir, z_threshold=4.0).checks}
    assert checks["availability"] is Status.PASS


@pytest.mark.parametrize("change", [str.upper, str.lower, str.title])
def test_the_bars_of_one_symbol_are_no_contracts(
    market: Market, tmp_path: Path, change: Callable[[str], str]
) -> None:
    wide = random_market(market.timestamps, 5)
    input_dir = wide.write(tmp_path)
    names = [change(name) for name in ("open", "high", "low", "close", "volume")]
    rewritten(Path(input_dir) / PRICES_FILE, lambda t: t.rename_columns(["timestamp", *names]))
    told = f"its columns {', '.join(names)} look like the bars of one symbol, not like contracts"
    with pytest.raises(DataError, match=f"{told}; write a column of closes per contract"):
        opened(input_dir)
    availability = validate(input_dir).checks[0]
    assert availability.status is Status.FAIL
    assert told in availability.message


def test_tickers_named_like_parts_of_a_bar_are_contracts(input_dir: str) -> None:
    names = ["timestamp", "OPEN", "LOW", "MSFT"]  # Opendoor and Lowe's
    rewritten(Path(input_dir) / PRICES_FILE, lambda t: t.rename_columns(names))
    assert opened(input_dir).contracts == ("OPEN", "LOW", "MSFT")
