from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE
from lake.market.validation import validate
from storage.errors import LocationError
from tests.markets import Market, random_market, session_timestamps
from trading.bars.quality.files import CHECKS
from trading.bars.quality.findings import MAX_FINDINGS, CheckResult, Status, ValidationReport
from trading.bars.quality.returns import MIN_RETURNS, minimum_returns
from trading.errors import ParameterError


def _check(report: ValidationReport, name: str) -> CheckResult:
    return next(check for check in report.checks if check.check == name)


def _not_passed(report: ValidationReport) -> dict[str, Status]:
    return {c.check: c.status for c in report.checks if c.status is not Status.PASS}


def _rewrite(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    pq.write_table(change(pq.read_table(path)), path)


def test_clean_data_pass_every_check(market: Market, input_dir: str) -> None:
    report = validate(input_dir, z_threshold=4.0)
    assert report.status is Status.PASS
    assert _not_passed(report) == {}
    assert [check.check for check in report.checks] == [check.__name__ for check in CHECKS]
    assert (report.input_dir, report.contracts, report.bars) == (input_dir, market.contracts, 24)


def test_the_check_is_limited_to_the_contracts_asked_for(market: Market, tmp_path: Path) -> None:
    input_dir = market.with_price(5, 1, -1.0).write(tmp_path)
    assert validate(input_dir, ["AAPL", "MSFT"], 4.0).status is Status.PASS
    assert validate(input_dir, None, 4.0).status is Status.FAIL


@pytest.mark.parametrize("name", [PRICES_FILE, VIX_FILE, SPX_FILE])
@pytest.mark.parametrize(
    ("break_file", "problem"),
    [
        (lambda path: path.unlink(), "the file does not exist"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_bytes(path.read_bytes()[:99]), "the file is damaged"),
        (lambda path: _rewrite(path, lambda t: t.drop_columns("timestamp")), "no column 'timest"),
    ],
)
def test_a_file_that_cannot_be_used_fails_availability(
    input_dir: str, name: str, break_file: Callable[[Path], object], problem: str
) -> None:
    break_file(Path(input_dir) / name)
    report = validate(input_dir)
    result = _check(report, "availability")
    assert (report.status, result.status, result.count) == (Status.FAIL, Status.FAIL, 1)
    assert result.findings[0].source == name
    assert problem in result.findings[0].detail
    if name == PRICES_FILE:
        assert {_check(report, c).status for c in ("outliers", "vix_at_bars", "whole_seconds")} == {
            Status.INSUFFICIENT
        }


def test_a_missing_index_column_and_text_prices_fail_availability(input_dir: str) -> None:
    _rewrite(Path(input_dir) / VIX_FILE, lambda t: t.rename_columns(["timestamp", "close"]))
    _rewrite(
        Path(input_dir) / PRICES_FILE,
        lambda t: t.set_column(1, "AAPL", t.column("AAPL").cast(pa.string())),
    )
    result = _check(validate(input_dir), "availability")
    assert [finding.source for finding in result.findings] == ["VIX", "AAPL"]
    assert "not numbers" in result.findings[1].detail


def test_a_contract_that_is_not_there_fails_availability(input_dir: str) -> None:
    report = validate(input_dir, ["AAPL", "TSLA"])
    assert report.status is Status.FAIL
    assert report.contracts == ("AAPL",)
    assert [finding.source for finding in _check(report, "availability").findings] == ["TSLA"]


def test_a_column_that_is_no_contract_fails_availability(input_dir: str) -> None:
    names = ["timestamp", "AAPL", "brk b", "MSFT"]
    _rewrite(Path(input_dir) / PRICES_FILE, lambda t: t.rename_columns(names))
    report = validate(input_dir)
    assert _check(report, "availability").findings[0].source == "brk b"
    assert report.contracts == ("AAPL", "MSFT")


@pytest.mark.parametrize("name", [PRICES_FILE, VIX_FILE, SPX_FILE])
def test_disorder_and_repeats_fail_in_each_file(input_dir: str, name: str) -> None:
    rows = [0, 1, 3, 2, *range(4, 24), 7]
    _rewrite(Path(input_dir) / name, lambda t: t.take(rows))
    report = validate(input_dir)
    order, duplicates = _check(report, "order"), _check(report, "duplicates")
    assert (order.status, [finding.row for finding in order.findings]) == (Status.FAIL, [3, 24])
    assert (duplicates.status, [f.row for f in duplicates.findings]) == (Status.FAIL, [24])
    assert report.status is Status.FAIL


def test_a_repeat_next_to_its_original_is_in_order(input_dir: str) -> None:
    _rewrite(Path(input_dir) / PRICES_FILE, lambda t: t.take([0, 1, 1, *range(2, 24)]))
    report = validate(input_dir)
    assert _check(report, "order").status is Status.PASS
    assert [finding.row for finding in _check(report, "duplicates").findings] == [2]


def test_a_missing_timestamp_fails_order(input_dir: str) -> None:
    def without(table: pa.Table) -> pa.Table:
        stamps = [*table.column("timestamp").to_pylist()[:-1], None]
        column = pa.array(stamps, table.schema.field("timestamp").type)
        return table.set_column(0, "timestamp", column)

    _rewrite(Path(input_dir) / SPX_FILE, without)
    result = _check(validate(input_dir), "order")
    assert [(f.row, f.timestamp) for f in result.findings] == [(23, None)]


def test_bars_within_a_second_fail(market: Market, input_dir: str) -> None:
    def later(table: pa.Table) -> pa.Table:
        stamps = (market.timestamps + np.timedelta64(250, "ms")).astype("datetime64[us]")
        return table.set_column(0, "timestamp", pa.array(stamps, pa.timestamp("us", "UTC")))

    _rewrite(Path(input_dir) / PRICES_FILE, later)
    assert _check(validate(input_dir), "whole_seconds").count == 24


@pytest.mark.parametrize("value", [0.0, -5.0, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["prices", "vix", "spx"])
def test_a_value_that_is_no_price_fails_with_its_row(
    market: Market, tmp_path: Path, field: str, value: float
) -> None:
    getattr(market, field)[7] = value
    result = _check(validate(market.write(tmp_path)), "prices_positive")
    assert result.status is Status.FAIL
    assert {finding.row for finding in result.findings} == {7}
    stamps = market.vix_timestamps if field == "vix" else market.timestamps
    assert result.findings[0].timestamp == f"{stamps[7].astype('datetime64[s]')}Z"
    assert result.count == (3 if field == "prices" else 1)


@pytest.mark.parametrize("field", ["prices", "vix", "spx"])
def test_a_gap_warns_and_nothing_at_all_fails(market: Market, tmp_path: Path, field: str) -> None:
    getattr(market, field)[4] = np.nan
    report = validate(market.write(tmp_path), z_threshold=4.0)
    assert report.status is Status.WARN
    assert _check(report, "missing_values").status is Status.WARN
    getattr(market, field)[:] = np.nan
    report = validate(market.write(tmp_path))
    assert report.status is Status.FAIL
    assert _check(report, "empty_series").status is Status.FAIL


def test_findings_are_counted_in_full_and_listed_in_part(market: Market, tmp_path: Path) -> None:
    market.prices[:20] = np.nan
    result = _check(validate(market.write(tmp_path)), "missing_values")
    assert (result.count, len(result.findings)) == (60, MAX_FINDINGS)
    assert result.message.startswith("60 found, the first: AAPL at 2024-01-02T14:30:00Z: ")


def test_the_sp500_is_wanted_at_every_bar(market: Market, tmp_path: Path) -> None:
    keep = np.delete(np.arange(24), [3, 9])
    gaps = replace(market, spx_timestamps=market.timestamps[keep], spx=market.spx[keep])
    result = _check(validate(gaps.write(tmp_path)), "spx_at_bars")
    assert result.status is Status.WARN
    assert [finding.row for finding in result.findings] == [3, 9]
    other_day = replace(market, spx_timestamps=market.timestamps + np.timedelta64(7, "m"))
    assert _check(validate(other_day.write(tmp_path)), "spx_at_bars").status is Status.FAIL


def test_the_vix_is_wanted_within_its_tolerance(market: Market, tmp_path: Path) -> None:
    input_dir = replace(market, vix_timestamps=market.vix_timestamps[:8], vix=market.vix[:8]).write(
        tmp_path
    )
    strict = _check(validate(input_dir), "vix_at_bars")
    # The last VIX is of 15:45 on the 2nd: older than a day from the last bar of the 3rd on.
    assert (strict.status, strict.count) == (Status.WARN, 9)
    assert _check(validate(input_dir, None, 3.0, 72.0), "vix_at_bars").status is Status.PASS
    none = replace(market, vix_timestamps=market.vix_timestamps + np.timedelta64(99, "D"))
    assert _check(validate(none.write(tmp_path)), "vix_at_bars").status is Status.FAIL


def test_an_outlier_warns_with_the_row_of_its_return(tmp_path: Path) -> None:
    market = random_market(session_timestamps(10))
    input_dir = market.with_price(40, 1, market.prices[40, 1] * 1.2).write(tmp_path)
    report = validate(input_dir, z_threshold=5.0)
    result = _check(report, "outliers")
    assert (report.status, result.status) == (Status.WARN, Status.WARN)
    assert {(finding.source, finding.row) for finding in result.findings} == {
        ("BRK-B", 40),
        ("BRK-B", 41),
    }


def test_outliers_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    market = random_market(session_timestamps(10), contracts=1)
    market.prices[[11, 12, 50], 0] = np.nan
    prices = market.prices[:, 0]
    returns = {
        row: prices[row] / prices[row - 1] - 1
        for row in range(1, 80)
        if not np.isnan(prices[row]) and not np.isnan(prices[row - 1])
    }
    mean = sum(returns.values()) / len(returns)
    deviation = (sum((r - mean) ** 2 for r in returns.values()) / (len(returns) - 1)) ** 0.5
    distances = {row: abs(r - mean) / deviation for row, r in returns.items()}
    z_threshold = sorted(distances.values())[-5] * 1.0001
    result = _check(validate(market.write(tmp_path), z_threshold=z_threshold), "outliers")
    expected = [row for row, z in distances.items() if z > z_threshold]
    assert [finding.row for finding in result.findings] == expected
    assert len(expected) == 4


def test_too_few_returns_are_insufficient_and_stop_nothing(tmp_path: Path) -> None:
    few = random_market(session_timestamps(3)[:MIN_RETURNS])
    few.prices[5] *= 3
    report = validate(few.write(tmp_path))
    result = _check(report, "outliers")
    assert (report.status, result.status) == (Status.PASS, Status.INSUFFICIENT)
    assert f"3 of 3 contracts have fewer than {MIN_RETURNS} returns" in result.message
    enough = random_market(session_timestamps(3)[: MIN_RETURNS + 1])
    enough.prices[5] *= 3
    assert _check(validate(enough.write(tmp_path)), "outliers").status is Status.WARN


def test_a_price_that_never_moves_is_no_outlier(market: Market, tmp_path: Path) -> None:
    market.prices[:] = 50.0
    assert _check(validate(market.write(tmp_path)), "outliers").status is Status.PASS


@settings(max_examples=60)
@given(st.floats(0.5, 12))
def test_the_least_number_of_returns_is_where_the_threshold_can_be_exceeded(z: float) -> None:
    def largest(n: int) -> float:
        values: npt.NDArray[np.float64] = np.zeros(n)
        values[0] = 1.0
        return float(((values - values.mean()) / values.std(ddof=1))[0])

    least = minimum_returns(z)
    assert largest(least) > z * (1 - 1e-12)
    assert least == MIN_RETURNS or largest(least - 1) <= z * (1 + 1e-12)


@pytest.mark.parametrize("z_threshold", [0, -1.0, float("nan"), float("inf")])
def test_an_unusable_threshold_is_refused(input_dir: str, z_threshold: float) -> None:
    with pytest.raises(ParameterError, match=r"z_threshold=.* is not a positive number"):
        validate(input_dir, z_threshold=z_threshold)


@pytest.mark.parametrize(
    ("input_dir_or_contracts", "message"),
    [
        ({"input_dir": "/nowhere/at/all"}, "input_dir='/nowhere/at/all' is not an existing"),
        ({"contracts": ["../AAPL"]}, "contract='../AAPL' is not a contract name"),
    ],
)
def test_unusable_arguments_are_refused(
    input_dir: str, input_dir_or_contracts: dict[str, Any], message: str
) -> None:
    with pytest.raises((ParameterError, LocationError), match=message):
        validate(**{"input_dir": input_dir, **input_dir_or_contracts})


def test_the_overall_status_is_the_worst(market: Market, tmp_path: Path) -> None:
    market.prices[3, 0] = np.nan
    assert validate(market.write(tmp_path), z_threshold=4.0).status is Status.WARN
    market.prices[5, 1] = -1.0
    assert validate(market.write(tmp_path), z_threshold=4.0).status is Status.FAIL
    ranks = [status.severity for status in Status]
    assert ranks == sorted(ranks)
