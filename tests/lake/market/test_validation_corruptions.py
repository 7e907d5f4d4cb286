"""What validation says of whole markets: clean ones pass, and each fault is found by its check."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from skfolio.datasets import load_sp500_dataset, load_sp500_index

from lake.market.inputs import PRICES_FILE, SPX_FILE, VIX_FILE
from lake.market.validation import validate
from tests.markets import Market
from trading.arrays import Timestamps
from trading.bars.quality.findings import Status, ValidationReport
from trading.bars.synthetic import contract_names, synthetic_market
from trading.instruments.calendar import hourly_bars, sessions

PASS, WARN, FAIL = Status.PASS, Status.WARN, Status.FAIL


def _market(stamps: Timestamps) -> Market:
    made = synthetic_market(contract_names(10), stamps, 0)
    return Market(
        stamps, tuple(made.contracts), made.prices.copy(), stamps, made.vix, stamps, made.spx
    )


def _sample() -> Market:
    return _market(hourly_bars(sessions(date(2024, 1, 2), date(2024, 1, 4))))


def _found(report: ValidationReport) -> dict[str, Status]:
    return {c.check: c.status for c in report.checks if c.status not in (PASS, Status.INSUFFICIENT)}


def test_the_clean_sample_passes_every_check(tmp_path: Path) -> None:
    report = validate(_sample().write(tmp_path))
    assert {check.status for check in report.checks} == {PASS}


@pytest.mark.parametrize("year", [2023, 2024, 2012])
def test_a_year_with_its_holidays_early_closes_and_clock_changes_has_no_gap(
    tmp_path: Path, year: int
) -> None:
    # 2024 has three early closes, 2012 the two days of hurricane Sandy.
    report = validate(
        _market(hourly_bars(sessions(date(year, 1, 1), date(year, 12, 31)))).write(tmp_path)
    )
    assert set(_found(report)) <= {"outliers", "robust_outliers"}
    assert report.status in (PASS, WARN)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_33_years_of_real_daily_data_are_no_failure(tmp_path: Path, zone: str) -> None:
    prices, index = load_sp500_dataset(), load_sp500_index()
    stamps = prices.index.tz_localize(zone).tz_convert("UTC").tz_localize(None)
    stamps = stamps.to_numpy().astype("datetime64[ns]")
    vix = np.resize(np.arange(15.0, 22.0), len(stamps))
    spx = index.iloc[:, 0].reindex(prices.index).to_numpy(np.float64)
    names = tuple(prices.columns)
    market = Market(stamps, names, prices.to_numpy(np.float64), stamps, vix, stamps, spx)
    report = validate(market.write(tmp_path))
    # What is odd is so: RRC hardly traded in 1990, and AMD, BBY and RRC did jump by a third.
    odd = {"stale_prices", "unadjusted_splits", "outliers", "robust_outliers"}
    assert _found(report) == dict.fromkeys(odd, WARN)
    stale = next(check for check in report.checks if check.check == "stale_prices")
    assert {finding.source for finding in stale.findings} == {"RRC"}


def _rewrite(name: str, change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def corrupt(folder: Path) -> None:
        pq.write_table(change(pq.read_table(folder / name)), folder / name)

    return corrupt


def _rows(name: str, rows: list[int]) -> Callable[[Path], None]:
    return _rewrite(name, lambda table: table.take(rows))


def _prices(
    change: Callable[[npt.NDArray[np.float64]], object],
) -> Callable[[Path], None]:
    """A change of AAPL's prices, shape (24,), in place."""

    def corrupt(folder: Path) -> None:
        table = pq.read_table(folder / PRICES_FILE)
        at = table.column_names.index("AAPL")
        values = table.column(at).to_numpy().copy()
        change(values)
        pq.write_table(table.set_column(at, "AAPL", pa.array(values)), folder / PRICES_FILE)

    return corrupt


def _stamps(shift: np.timedelta64) -> Callable[[pa.Table], pa.Table]:
    def moved(table: pa.Table) -> pa.Table:
        stamps = table.column("timestamp").to_numpy().astype("datetime64[ns]") + shift
        return table.set_column(0, "timestamp", pa.array(stamps, pa.timestamp("ns", "UTC")))

    return moved


def _hold(first: int, last: int) -> Callable[[npt.NDArray[np.float64]], object]:
    def change(values: npt.NDArray[np.float64]) -> None:
        values[first:last] = values[first]

    return change


ALL = list(range(24))

CORRUPTIONS: dict[str, tuple[Callable[[Path], object], dict[str, Status]]] = {
    "a file is missing": (lambda folder: (folder / VIX_FILE).unlink(), {"availability": FAIL}),
    "a file is cut off": (
        lambda folder: (folder / SPX_FILE).write_bytes((folder / SPX_FILE).read_bytes()[:-40]),
        {"availability": FAIL},
    ),
    "the time zone is lost": (
        _rewrite(
            PRICES_FILE,
            lambda t: t.set_column(0, "timestamp", t.column(0).cast(pa.timestamp("us"))),
        ),
        {"availability": FAIL},
    ),
    "prices are text": (
        _rewrite(
            PRICES_FILE, lambda t: t.set_column(1, t.column_names[1], t.column(1).cast(pa.string()))
        ),
        {"availability": FAIL},
    ),
    "two rows are swapped": (
        _rows(PRICES_FILE, [0, 1, 3, 2, *ALL[4:]]),
        {"order": FAIL},
    ),
    "a row is there twice": (_rows(SPX_FILE, [*ALL[:5], *ALL[4:]]), {"duplicates": FAIL}),
    "a price is zero": (_prices(lambda v: v.__setitem__(7, 0.0)), {
        "prices_positive": FAIL, "outliers": WARN, "robust_outliers": WARN,
    }),
    "a price is negative": (_prices(lambda v: v.__setitem__(7, -v[7])), {
        "prices_positive": FAIL, "outliers": WARN, "robust_outliers": WARN,
    }),
    "a series is empty": (
        _prices(lambda v: v.__setitem__(slice(None), np.nan)),
        {"empty_series": FAIL, "missing_values": WARN},
    ),
    "a value is missing": (_prices(lambda v: v.__setitem__(7, np.nan)), {"missing_values": WARN}),
    "a session is missing": (
        _rows(PRICES_FILE, [*ALL[:8], *ALL[16:]]),
        {"missing_sessions": WARN},
    ),
    "two bars are missing": (_rows(PRICES_FILE, [*ALL[:10], *ALL[12:]]), {"missing_bars": WARN}),
    "a bar is a typing error": (
        _prices(lambda v: v.__setitem__(11, v[11] * 10)),
        {"outliers": WARN, "robust_outliers": WARN},
    ),
    "a price stands still": (_prices(_hold(5, 14)), {"stale_prices": WARN}),
    "a split is left in": (
        _prices(lambda v: v.__setitem__(slice(8, None), v[8:] / 4)),
        {"unadjusted_splits": WARN, "outliers": WARN, "robust_outliers": WARN},
    ),
    "a reverse split is left in": (
        _prices(lambda v: v.__setitem__(slice(16, None), v[16:] * 8)),
        {"unadjusted_splits": WARN, "outliers": WARN, "robust_outliers": WARN},
    ),
    "New York time is called UTC": (
        _rewrite(PRICES_FILE, _stamps(np.timedelta64(-5, "h"))),
        {"off_session_bars": WARN, "spx_at_bars": WARN, "vix_at_bars": WARN},
    ),
    "the data are of nights": (
        _rewrite(PRICES_FILE, _stamps(np.timedelta64(12, "h"))),
        {"off_session_bars": FAIL, "spx_at_bars": FAIL},
    ),
    "the VIX ends early": (
        _rows(VIX_FILE, ALL[:8]),
        {"vix_at_bars": WARN},
    ),
    "the S&P 500 has gaps": (_rows(SPX_FILE, [*ALL[:3], *ALL[5:]]), {"spx_at_bars": WARN}),
}  # fmt: skip


@pytest.mark.parametrize("fault", CORRUPTIONS)
def test_each_corruption_of_the_sample_is_found_by_its_check(tmp_path: Path, fault: str) -> None:
    corrupt, expected = CORRUPTIONS[fault]
    _sample().write(tmp_path)
    corrupt(tmp_path)
    report = validate(str(tmp_path))
    assert _found(report) == expected
    assert report.status is max(expected.values(), key=lambda status: status.severity)


def test_a_reading_of_a_weekend_is_off_session(tmp_path: Path) -> None:
    market = _sample()
    saturday = market.timestamps.copy()
    saturday[-1] = np.datetime64("2024-01-06T15:30", "ns")
    report = validate(replace(market, timestamps=saturday, spx_timestamps=saturday).write(tmp_path))
    off = next(check for check in report.checks if check.check == "off_session_bars")
    assert (off.status, [finding.row for finding in off.findings]) == (WARN, [23])
    # Friday the 5th lies between the first and the last bar.
    missing = next(check for check in report.checks if check.check == "missing_sessions")
    assert [finding.timestamp for finding in missing.findings] == ["2024-01-05T14:30:00Z"]
