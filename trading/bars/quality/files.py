"""Checks of the market data's files and values: functions from a loaded dataset to a result.

To add a check, write a function and name it in `CHECKS`. A check that lacks what it needs says
INSUFFICIENT; what is missing is reported by the check of availability.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trading.bars.context import SPX, VIX, as_of
from trading.bars.quality.calendar import (
    missing_bars,
    missing_sessions,
    off_session_bars,
    vix_look_ahead,
)
from trading.bars.quality.findings import (
    Check,
    CheckResult,
    Dataset,
    Finding,
    Found,
    SeriesFile,
    Status,
    conclude,
    disordered,
    not_checked,
    rows_found,
)
from trading.bars.quality.returns import outliers, robust_outliers, stale_prices, unadjusted_splits


def availability(data: Dataset) -> CheckResult:
    """FAIL when a file, its column or a contract that was asked for is not there."""
    found = [Found(1, (problem,)) for problem in data.problems]
    return conclude("availability", found, Status.FAIL, "files and columns are there")


def order(data: Dataset) -> CheckResult:
    """FAIL when timestamps are missing or go backwards."""
    from trading.bars.quality.schemas import STAMPS_FORWARD, stamp_faults  # noqa: PLC0415 - brings pandas

    found = (
        _stamps_found(file, stamp_faults(STAMPS_FORWARD, file.unchecked_timestamps()))
        for file in data.files()
    )
    return conclude("order", found, Status.FAIL, "timestamps go forward")


def duplicates(data: Dataset) -> CheckResult:
    """FAIL when a timestamp occurs more than once in a file."""
    from trading.bars.quality.schemas import STAMPS_ONCE, stamp_faults  # noqa: PLC0415 - brings pandas

    found = (
        _stamps_found(file, stamp_faults(STAMPS_ONCE, file.unchecked_timestamps()))
        for file in data.files()
    )
    return conclude("duplicates", found, Status.FAIL, "each timestamp occurs once")


def whole_seconds(data: Dataset) -> CheckResult:
    """FAIL when a bar does not start at a whole second, since partitions are named by it."""
    from trading.bars.quality.schemas import STAMPS_OF_SECONDS, stamp_faults  # noqa: PLC0415 - brings pandas

    if data.prices is None:
        return not_checked("whole_seconds")
    faults = stamp_faults(STAMPS_OF_SECONDS, data.prices.unchecked_timestamps())
    found = [_stamps_found(data.prices, faults)]
    return conclude("whole_seconds", found, Status.FAIL, "bars start at whole seconds")


def empty_series(data: Dataset) -> CheckResult:
    """FAIL when a contract or index has no value at all."""
    found = (
        Found(1, (Finding(name, "it has no value at all"),))
        for name, _, values in data.series()
        if np.isnan(values).all()
    )
    return conclude("empty_series", found, Status.FAIL, "every contract and index has values")


def prices_positive(data: Dataset) -> CheckResult:
    """FAIL when a price or index value is zero, negative or infinite."""
    found = (
        rows_found(file, name, (values <= 0) | np.isinf(values), "it is not positive and finite")
        for name, file, values in data.series()
    )
    return conclude("prices_positive", found, Status.FAIL, "all values are positive")


def missing_values(data: Dataset) -> CheckResult:
    """WARN when a contract or index has gaps."""
    found = (
        rows_found(file, name, np.isnan(values), "the value is missing")
        for name, file, values in data.series()
    )
    return conclude("missing_values", found, Status.WARN, "no value is missing")


def spx_at_bars(data: Dataset) -> CheckResult:
    """WARN when the S&P 500 has no value at a bar: its return, and so beta, lacks that bar."""
    return _index_at_bars("spx_at_bars", data, data.spx, SPX, np.timedelta64(0, "ns"))


def vix_at_bars(data: Dataset) -> CheckResult:
    """WARN when no VIX is recent enough at a bar: there is no threshold and no signal."""
    return _index_at_bars("vix_at_bars", data, data.vix, VIX, data.thresholds.vix_tolerance)


CHECKS: tuple[Check, ...] = (
    availability,
    order,
    duplicates,
    whole_seconds,
    empty_series,
    prices_positive,
    missing_values,
    missing_sessions,
    missing_bars,
    off_session_bars,
    spx_at_bars,
    vix_at_bars,
    vix_look_ahead,
    stale_prices,
    unadjusted_splits,
    outliers,
    robust_outliers,
)
"""All checks, in the order of the report."""


def _index_at_bars(
    check: str, data: Dataset, index: SeriesFile | None, column: str, tolerance: np.timedelta64
) -> CheckResult:
    if data.prices is None or index is None:
        return not_checked(check)
    bars, known_at = data.prices.unchecked_timestamps(), index.unchecked_timestamps()
    if disordered(bars).any() or disordered(known_at).any():
        return not_checked(check)
    values = index.values(column, 0, index.rows)
    present = ~np.isnan(values)
    missing = np.isnan(as_of(bars, known_at[present], values[present], tolerance))
    found = [rows_found(data.prices, column, missing, "there is no value for this bar")]
    worst = Status.FAIL if missing.all() else Status.WARN
    return conclude(check, found, worst, f"there is a {column} value at every bar")


def _stamps_found(file: SeriesFile, faults: Mapping[int, str]) -> Found:
    where = np.zeros(file.rows, np.bool_)
    where[list(faults)] = True
    return rows_found(file, file.url, where, faults.__getitem__)
