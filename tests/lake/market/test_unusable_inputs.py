"""Input files that cannot be used: each is named, with its fault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE, check_contract
from storage.errors import ContentError
from tests.market_files import opened, pandas_frame, rewritten
from tests.markets import Market
from trading.errors import DataError, ParameterError
from trading.strategies.market_model.parameters import StrategyParameters

STRATEGY = StrategyParameters()


def _unnamed_index(path: Path) -> None:
    pd.read_parquet(path).set_index("timestamp").rename_axis(None).to_parquet(path)


def _naive(path: Path) -> None:
    frame = pd.read_parquet(path)
    frame.assign(timestamp=frame["timestamp"].dt.tz_localize(None)).to_parquet(path)


def _text_stamps(path: Path) -> None:
    pd.read_parquet(path).astype({"timestamp": str}).to_parquet(path)


UNUSABLE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda p: p.unlink(), "the file does not exist"),
    "empty": (lambda p: p.write_bytes(b""), "the file is empty"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:-40]), "damaged or not Parquet"),
    "text": (lambda p: p.write_text("timestamp,AAPL\n" * 9), "damaged or not Parquet"),
    "half a footer": (
        lambda p: p.write_bytes(p.read_bytes()[:300] + p.read_bytes()[-8:]),
        "damaged or not Parquet",
    ),
    "no rows": (lambda p: rewritten(p, lambda t: t.slice(0, 0)), "the file has no rows"),
    "no timestamp": (
        lambda p: rewritten(p, lambda t: t.drop_columns(["timestamp"])),
        "there is no column 'timestamp'",
    ),
    "unnamed index": (_unnamed_index, "there is no column 'timestamp'"),
    "naive": (_naive, "column 'timestamp' has no time zone"),
    "text stamps": (_text_stamps, "column 'timestamp' holds .* values, not times"),
}


@pytest.mark.parametrize("name", [PRICES_FILE, VIX_FILE, SPX_FILE])
@pytest.mark.parametrize("fault", UNUSABLE)
def test_an_unusable_file_is_named_with_its_fault(input_dir: str, name: str, fault: str) -> None:
    break_file, message = UNUSABLE[fault]
    break_file(Path(input_dir) / name)
    with pytest.raises((DataError, ContentError), match=f"{name}: .*{message}; ") as error:
        opened(input_dir)
    assert str(error.value).endswith(".")


def test_damaged_pages_are_reported_for_their_column(market: Market, input_dir: str) -> None:
    path = Path(input_dir) / PRICES_FILE
    column = pq.read_metadata(path).row_group(0).column(1)
    content = bytearray(path.read_bytes())
    start = column.data_page_offset
    content[start : start + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(content)
    data = opened(input_dir)
    with pytest.raises((DataError, ContentError), match="column 'AAPL' is damaged"):
        data.bars("AAPL", 0, 1, STRATEGY)
    assert len(data.bars("MSFT", 0, 1, STRATEGY)) == 1


@pytest.mark.parametrize(("name", "column"), [(VIX_FILE, "VIX"), (SPX_FILE, "SPX")])
def test_a_missing_index_column_is_named(input_dir: str, name: str, column: str) -> None:
    rewritten(Path(input_dir) / name, lambda t: t.rename_columns(["timestamp", "close"]))
    with pytest.raises((DataError, ContentError), match=f"{name}: there is no column '{column}'"):
        opened(input_dir)


def test_a_file_without_contracts_is_refused(input_dir: str) -> None:
    rewritten(Path(input_dir) / PRICES_FILE, lambda t: t.select(["timestamp"]))
    with pytest.raises((DataError, ContentError), match="there is no contract"):
        opened(input_dir)


@pytest.mark.parametrize("column", ["../evil", "aapl", "A" * 33, "AAPL\n", "__index_level_0__"])
def test_a_column_that_cannot_become_a_path_is_refused(input_dir: str, column: str) -> None:
    names = ["timestamp", "AAPL", "MSFT", column]
    rewritten(Path(input_dir) / PRICES_FILE, lambda t: t.rename_columns(names))
    with pytest.raises((DataError, ContentError), match="is not named like a contract"):
        opened(input_dir)


@pytest.mark.parametrize(
    ("column", "hint"),
    [
        ("BRK/B", "rename it to 'BRK-B', or remove it."),
        ("brk b", "rename it to 'BRK-B', or remove it."),
        ("aapl", "rename it to a name such as 'AAPL', or remove it."),  # there is an AAPL
        ("../evil", "rename it to a name such as 'AAPL', or remove it."),
    ],
)
def test_a_column_is_to_be_renamed_to_what_it_means(input_dir: str, column: str, hint: str) -> None:
    names = ["timestamp", "AAPL", "MSFT", column]
    rewritten(Path(input_dir) / PRICES_FILE, lambda t: t.rename_columns(names))
    with pytest.raises(DataError) as refused:
        opened(input_dir)
    assert str(refused.value).endswith(f"column {column!r} is not named like a contract; {hint}")


def test_text_prices_are_refused(market: Market, input_dir: str) -> None:
    frame = pandas_frame(market, "us", "UTC").astype({"AAPL": str})
    frame.to_parquet(Path(input_dir) / PRICES_FILE)
    data = opened(input_dir)
    with pytest.raises(
        (DataError, ContentError), match=r"column 'AAPL' holds .*string values, not numbers"
    ):
        data.bars("AAPL", 0, 1, STRATEGY)


@pytest.mark.parametrize("name", [PRICES_FILE, VIX_FILE, SPX_FILE])
@pytest.mark.parametrize(
    ("order", "kind"), [([0, 2, 1], "is out of order"), ([0, 1, 1], "is repeated")]
)
def test_disorder_within_a_window_is_noticed(
    market: Market, input_dir: str, name: str, order: list[int], kind: str
) -> None:
    rows = [*order, *range(3, 24)]
    rewritten(Path(input_dir) / name, lambda t: t.take(rows))
    with pytest.raises(
        (DataError, ContentError), match=f"{name}: timestamp 2024-.* in row 2 {kind}"
    ):
        opened(input_dir).bars("AAPL", 0, 24, STRATEGY)


def test_a_missing_timestamp_is_noticed(input_dir: str) -> None:
    path = Path(input_dir) / PRICES_FILE
    table = pq.read_table(path)
    stamps = [None, *table.column("timestamp").to_pylist()[1:]]
    stamps_column = pa.array(stamps, table.schema.field("timestamp").type)
    pq.write_table(table.set_column(0, "timestamp", stamps_column), path)
    with pytest.raises((DataError, ContentError), match="a timestamp is missing"):
        opened(input_dir).timestamps()


def test_an_unknown_contract_is_answered_with_close_ones(input_dir: str) -> None:
    with pytest.raises(ParameterError, match="the closest are AAPL"):
        opened(input_dir).bars("AAPPL", 0, 1, STRATEGY)


def test_a_contract_without_prices_is_refused_by_name(market: Market, tmp_path: Path) -> None:
    market.prices[:, 1] = np.nan
    data = opened(market.write(tmp_path))
    check_contract(data.bars("AAPL", 0, 24, STRATEGY))
    with pytest.raises((DataError, ContentError), match=r"'BRK-B'.*no price at all"):
        check_contract(data.bars("BRK-B", 0, 24, STRATEGY))


def test_timestamps_before_and_after_what_nanoseconds_hold_are_refused(input_dir: str) -> None:
    path = Path(input_dir) / SPX_FILE
    far = pa.array([253_402_300_799_000_000], pa.timestamp("us", "UTC"))
    pq.write_table(pa.table({"timestamp": far, "SPX": [1.0]}), path)
    with pytest.raises((DataError, ContentError), match="outside the years 1678 to 2261"):
        opened(input_dir).bars("AAPL", 0, 24, STRATEGY)
