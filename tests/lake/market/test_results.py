from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lake.grain import Grain
from lake.keys import Partition, partitions
from lake.market import results
from lake.market.results import (
    FLOAT_COLUMNS,
    SCHEMA,
    Lineage,
    read_fingerprints,
    read_rows,
    write_result,
)
from storage.directory import Directory, open_directory
from storage.errors import StorageError
from tests.markets import SMALL, Market, bars_of, random_market, session_timestamps
from trading.errors import DataError, ParameterError
from trading.strategies.market_model.parameters import StrategyParameters
from trading.strategies.market_model.signals import ANALYSIS_VERSION, Analysis, analyze


@pytest.fixture
def output(tmp_path: Path) -> Directory:
    return open_directory(str(tmp_path / "output"), "output_dir")


def _store(
    output: Directory,
    market: Market,
    grain: Grain,
    contract: int = 0,
    *,
    strategy: StrategyParameters = SMALL,
    only: slice = slice(None),
) -> Analysis:
    """Write a contract's partitions; the fingerprint is their label, which tells them apart."""
    analysis = analyze(bars_of(market, contract), strategy)
    for part in partitions(market.timestamps, market.contracts[contract], grain)[only]:
        rows = analysis[part.first : part.last]
        write_result(output, part, rows, Lineage(part.label, strategy, "run-1"))
    return analysis


def _assert_rows(table: pa.Table, analysis: Analysis) -> None:
    frame = table.to_pandas()
    for name in FLOAT_COLUMNS:
        np.testing.assert_array_equal(frame[name], getattr(analysis, name), err_msg=name)
    stamps = frame["timestamp"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    np.testing.assert_array_equal(stamps, analysis.timestamps)
    names = np.array(["sell", "hold", "buy"])[analysis.signal + 1]
    assert frame["signal"].tolist() == names.tolist()


@pytest.mark.parametrize("grain", list(Grain))
def test_partitions_of_any_grain_read_back_as_the_whole(
    output: Directory, market: Market, grain: Grain
) -> None:
    analysis = _store(output, market, grain)
    table = read_rows(output.url)
    assert table.schema.equals(SCHEMA)
    _assert_rows(table, analysis)
    assert set(table.column("contract").to_pylist()) == {"AAPL"}


def test_columns_are_those_of_the_interface_and_missing_is_null(
    output: Directory, market: Market
) -> None:
    analysis = _store(output, market, Grain.SESSION)
    table = pq.read_table(Path(output.path) / "AAPL/20240102.parquet")
    assert table.column_names == [
        "timestamp", "contract", "price", "price_change_pct", "vix", "spx", "spx_change_pct",
        "beta", "correlation", "buy_threshold", "sell_threshold", "signal",
    ]  # fmt: skip
    assert table.column("beta").null_count == np.isnan(analysis.beta[:8]).sum() == 3
    assert table.column("price_change_pct").to_pylist()[0] is None
    frame = table.to_pandas()
    assert frame["timestamp"].iloc[0] == pd.Timestamp("2024-01-02 09:30", tz="America/New_York")
    assert str(frame["timestamp"].iloc[0]) == "2024-01-02 09:30:00-05:00"


def test_the_lineage_is_in_the_file(output: Directory, market: Market) -> None:
    part = partitions(market.timestamps, "AAPL", Grain.MONTH)[0]
    analysis = analyze(bars_of(market), SMALL)
    url = write_result(output, part, analysis, Lineage("f" * 32, SMALL, "run-42"))
    assert url == f"{output.url}/AAPL/2024-01.parquet"
    stored = {k.decode(): v.decode() for k, v in pq.read_metadata(url).metadata.items()}
    assert stored["fingerprint"] == "f" * 32
    assert StrategyParameters(**json.loads(stored["parameters"])) == SMALL
    assert stored["flow_run_id"] == "run-42"
    assert stored["code_version"] == version("trading-fanout")
    assert stored["analysis_version"] == ANALYSIS_VERSION
    assert (stored["contract"], stored["grain"]) == ("AAPL", "month")
    assert pd.Timestamp(stored["written_at"]).tzinfo is not None


def test_two_writers_write_the_same_data(output: Directory, market: Market) -> None:
    part = partitions(market.timestamps, "AAPL", Grain.ALL)[0]
    analysis = analyze(bars_of(market), SMALL)
    pages = []
    for run in ("run-1", "run-2"):
        url = write_result(output, part, analysis, Lineage("f" * 32, SMALL, run))
        last = pq.read_metadata(url).row_group(0).column(len(SCHEMA) - 1)
        end = last.dictionary_page_offset + last.total_compressed_size
        pages.append(Path(url).read_bytes()[:end])
    assert pages[0] == pages[1]
    assert len(pages[0]) > 24 * 9 * 8 / 2


def test_stored_fingerprints_are_found_by_file_name(output: Directory, market: Market) -> None:
    _store(output, market, Grain.SESSION)
    _store(output, market, Grain.YEAR)
    _store(output, market, Grain.SESSION, contract=1)
    assert read_fingerprints(output, "AAPL") == {
        "AAPL/2024.parquet": "AAPL 2024",
        "AAPL/20240102.parquet": "AAPL 2024-01-02",
        "AAPL/20240103.parquet": "AAPL 2024-01-03",
        "AAPL/20240104.parquet": "AAPL 2024-01-04",
    }
    assert read_fingerprints(output, "MSFT") == {}


def test_a_footer_longer_than_expected_is_read_whole(
    output: Directory, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(output, market, Grain.SESSION)
    expected = read_fingerprints(output, "AAPL")
    monkeypatch.setattr(results, "_FOOTER_BYTES", 16)
    assert read_fingerprints(output, "AAPL") == expected
    assert len(expected) == 3


def _foreign(path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), path)


def _other_contract(path: Path) -> None:
    metadata = {**pq.read_metadata(path).metadata, b"contract": b"MSFT"}
    pq.write_table(pq.read_table(path).replace_schema_metadata(metadata), path)


BROKEN: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "short": lambda path: path.write_bytes(b"PAR1"),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "garbage": lambda path: path.write_bytes(b"\xff" * 20_000),
    "footer only says so": lambda path: path.write_bytes(b"\xff" * 999 + b"\x10\0\0\0PAR1"),
    "footer longer than the file": lambda path: path.write_bytes(b"\xff\xff\xff\x7fPAR1"),
    "foreign": _foreign,
    "of another contract": _other_contract,
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_no_result_is_absent_for_plans_and_an_error_for_readers(
    output: Directory, market: Market, fault: str
) -> None:
    _store(output, market, Grain.SESSION)
    BROKEN[fault](Path(output.path) / "AAPL/20240103.parquet")
    assert sorted(read_fingerprints(output, "AAPL")) == [
        "AAPL/20240102.parquet",
        "AAPL/20240104.parquet",
    ]
    with pytest.raises(DataError, match=r"20240103\.parquet: the file is damaged or not a result"):
        read_rows(output.url)


def test_temporary_and_other_files_are_not_results(output: Directory, market: Market) -> None:
    analysis = _store(output, market, Grain.SESSION)
    folder = Path(output.path)
    (folder / "_portfolio").mkdir()
    _foreign(folder / "_portfolio/portfolio.parquet")
    (folder / "AAPL/.20240105.parquet.17-ab.tmp").write_bytes(b"half")
    (folder / "AAPL/.20240105.parquet").write_bytes(b"half")
    (folder / "AAPL/notes.txt").write_bytes(b"note")
    (folder / "some folder").mkdir()
    _assert_rows(read_rows(output.url), analysis)
    assert len(read_fingerprints(output, "AAPL")) == 3


def test_of_overlapping_grains_the_row_written_last_counts(
    output: Directory, market: Market
) -> None:
    other = SMALL.model_copy(update={"base_threshold_pct": 1.0})
    old = _store(output, market, Grain.ALL)
    new = _store(output, market, Grain.SESSION, strategy=other, only=slice(1, 2))
    table = read_rows(output.url)
    assert table.num_rows == 24
    thresholds = np.concatenate([old.buy_threshold[:8], new.buy_threshold[8:16]])
    expected = np.concatenate([thresholds, old.buy_threshold[16:]])
    np.testing.assert_array_equal(table.column("buy_threshold").to_numpy(), expected)
    _store(output, market, Grain.ALL)
    _assert_rows(read_rows(output.url), old)


def test_rows_are_sorted_by_contract_and_time_and_chosen_by_name(
    output: Directory, market: Market
) -> None:
    for contract in (2, 0, 1):
        _store(output, market, Grain.SESSION, contract=contract)
    everything = read_rows(output.url).to_pandas()
    keys = list(zip(everything["contract"], everything["timestamp"], strict=True))
    assert keys == sorted(keys)
    assert len(keys) == 72
    some = read_rows(output.url, ["MSFT", "AAPL"], ["signal", "price"])
    assert some.column_names == ["timestamp", "contract", "signal", "price"]
    assert sorted(set(some.column("contract").to_pylist())) == ["AAPL", "MSFT"]


def test_more_contracts_than_a_byte_can_count_are_read(output: Directory) -> None:
    market = random_market(session_timestamps(1), contracts=1)
    analysis = analyze(bars_of(market), SMALL)
    for number in range(140):
        part = Partition(f"C{number}", partitions(market.timestamps, "C", Grain.ALL)[0].start,
                         Grain.ALL, 0, 8)  # fmt: skip
        write_result(output, part, analysis, Lineage("f", SMALL, "run"))
    table = read_rows(output.url)
    assert len(set(table.column("contract").to_pylist())) == 140


def test_no_results_say_what_makes_them(output: Directory, market: Market) -> None:
    with pytest.raises(DataError, match=r"no results of any contract; run trading-orchestrator/"):
        read_rows(output.url)
    _store(output, market, Grain.ALL)
    with pytest.raises(DataError, match="there are no results of MSFT;"):
        read_rows(output.url, ["AAPL", "MSFT"])
    with pytest.raises(DataError, match="no results of any contract"):
        read_rows(output.url, [])
    with pytest.raises(ParameterError, match="contract="):
        read_rows(output.url, ["../AAPL"])
    with pytest.raises(ParameterError, match="contract="):
        read_fingerprints(output, "../AAPL")


def test_results_work_on_other_filesystems(tmp_path: Path, market: Market) -> None:
    output = open_directory(f"memory://{tmp_path.name}/out", "output_dir")
    analysis = _store(output, market, Grain.BAR)
    assert len(read_fingerprints(output, "AAPL")) == 24
    _assert_rows(read_rows(output.url), analysis)


def test_a_result_that_cannot_be_written_leaves_the_old_one(
    output: Directory, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(output, market, Grain.ALL)
    before = (Path(output.path) / "AAPL/all.parquet").read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StorageError, match="no space is left"):
        _store(output, market, Grain.ALL)
    assert [path.read_bytes() for path in Path(output.path).rglob("*.*")] == [before]
