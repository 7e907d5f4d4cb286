"""Checks of the market data's quality: functions from a loaded dataset to a result.

To add a check, write a function and name it in `CHECKS`. A check that lacks what it needs says
INSUFFICIENT; what is missing is reported by the check of availability.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

import numpy as np
import numpy.typing as npt

from trading.bars import Floats, Timestamps
from trading.column_file import ColumnFile
from trading.market_data import SPX, VIX, as_of

MAX_FINDINGS = 20
"""Findings that a check names; it counts all."""

MIN_RETURNS = 20
"""Returns below which a standard deviation says too little to call anything an outlier."""


class Status(StrEnum):
    """Outcome of a check: from the best to the worst."""

    PASS = "PASS"  # noqa: S105 - not a password
    INSUFFICIENT = "INSUFFICIENT"
    WARN = "WARN"
    FAIL = "FAIL"

    @property
    def severity(self) -> int:
        """0 for PASS and INSUFFICIENT, which stops nothing, 1 for WARN, 2 for FAIL."""
        return {Status.WARN: 1, Status.FAIL: 2}.get(self, 0)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes:
        source: The contract, index or file concerned.
        detail: What is wrong, in a few words.
        row: Row in the file, None when it is not about one row.
        timestamp: Timestamp of that row, UTC in ISO 8601.
    """

    source: str
    detail: str
    row: int | None = None
    timestamp: str | None = None


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check came to.

    Attributes:
        check: Its name.
        status: The outcome.
        message: The outcome in one sentence.
        count: How many findings there are.
        findings: The first `MAX_FINDINGS` of them.
    """

    check: str
    status: Status
    message: str
    count: int = 0
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is checked: the files that could be opened, and what was asked of them.

    Attributes:
        prices: The price file, None when it cannot be opened.
        vix: The VIX file, None when it cannot be opened.
        spx: The S&P 500 file, None when it cannot be opened.
        problems: Why files, columns or contracts are not available.
        contracts: The contracts to check, all of them available.
        z_threshold: Standard deviations beyond which a return is an outlier.
        vix_tolerance: The oldest VIX that counts as current.
    """

    prices: ColumnFile | None
    vix: ColumnFile | None
    spx: ColumnFile | None
    problems: tuple[Finding, ...]
    contracts: tuple[str, ...]
    z_threshold: float
    vix_tolerance: np.timedelta64

    def files(self) -> Iterator[ColumnFile]:
        """The files that could be opened."""
        return (file for file in (self.prices, self.vix, self.spx) if file is not None)

    def series(self) -> Iterator[tuple[str, ColumnFile, Floats]]:
        """Name, file and values of each contract, of the VIX and of the S&P 500."""
        for file, names in (
            (self.prices, self.contracts), (self.vix, (VIX,)), (self.spx, (SPX,)),
        ):  # fmt: skip
            if file is not None:
                yield from ((name, file, file.values(name, 0, file.rows)) for name in names)


Check = Callable[[Dataset], CheckResult]


@dataclass(frozen=True, slots=True)
class Found:
    """How many findings there are, and the first of them: millions are counted, not listed."""

    count: int
    findings: tuple[Finding, ...]


def availability(data: Dataset) -> CheckResult:
    """FAIL when a file, its column or a contract that was asked for is not there."""
    found = [Found(1, (problem,)) for problem in data.problems]
    return _result("availability", found, Status.FAIL, "files and columns are there")


def order(data: Dataset) -> CheckResult:
    """FAIL when timestamps are missing or go backwards."""
    found = (
        _found(file, file.url, _disordered(file.unchecked_timestamps()), "it goes back in time")
        for file in data.files()
    )
    return _result("order", found, Status.FAIL, "timestamps go forward")


def duplicates(data: Dataset) -> CheckResult:
    """FAIL when a timestamp occurs more than once in a file."""
    found = (
        _found(file, file.url, _repeated(file.unchecked_timestamps()), "it occurred before")
        for file in data.files()
    )
    return _result("duplicates", found, Status.FAIL, "each timestamp occurs once")


def whole_seconds(data: Dataset) -> CheckResult:
    """FAIL when a bar does not start at a whole second, since partitions are named by it."""
    if data.prices is None:
        return _not_checked("whole_seconds")
    stamps = data.prices.unchecked_timestamps()
    odd = (stamps != stamps.astype("datetime64[s]")) & ~np.isnat(stamps)
    found = [_found(data.prices, data.prices.url, odd, "it is not a whole second")]
    return _result("whole_seconds", found, Status.FAIL, "bars start at whole seconds")


def empty_series(data: Dataset) -> CheckResult:
    """FAIL when a contract or index has no value at all."""
    found = (
        Found(1, (Finding(name, "it has no value at all"),))
        for name, _, values in data.series()
        if np.isnan(values).all()
    )
    return _result("empty_series", found, Status.FAIL, "every contract and index has values")


def prices_positive(data: Dataset) -> CheckResult:
    """FAIL when a price or index value is zero, negative or infinite."""
    found = (
        _found(file, name, (values <= 0) | np.isinf(values), "it is not positive and finite")
        for name, file, values in data.series()
    )
    return _result("prices_positive", found, Status.FAIL, "all values are positive")


def missing_values(data: Dataset) -> CheckResult:
    """WARN when a contract or index has gaps."""
    found = (
        _found(file, name, np.isnan(values), "the value is missing")
        for name, file, values in data.series()
    )
    return _result("missing_values", found, Status.WARN, "no value is missing")


def spx_at_bars(data: Dataset) -> CheckResult:
    """WARN when the S&P 500 has no value at a bar: its return, and so beta, lacks that bar."""
    return _index_at_bars("spx_at_bars", data, data.spx, SPX, np.timedelta64(0, "ns"))


def vix_at_bars(data: Dataset) -> CheckResult:
    """WARN when no VIX is recent enough at a bar: there is no threshold and no signal."""
    return _index_at_bars("vix_at_bars", data, data.vix, VIX, data.vix_tolerance)


def outliers(data: Dataset) -> CheckResult:
    """WARN when a return lies `z_threshold` standard deviations from its contract's mean.

    With ddof 1 the largest |z| that n values can have is (n - 1) / sqrt(n) (Shiffler 1988), so
    with few returns the check could never fire: that is INSUFFICIENT, not PASS.
    """
    if data.prices is None or not data.contracts:
        return _not_checked("outliers")
    least = minimum_returns(data.z_threshold)
    found: list[Found] = []
    short = 0
    for name in data.contracts:
        z = _z_scores(_returns(data.prices.values(name, 0, data.prices.rows)), least)
        if z is None:
            short += 1
            continue
        far = np.abs(z) > data.z_threshold
        found.append(_found(data.prices, name, far, f"|z| exceeds {data.z_threshold:g}"))
    result = _result("outliers", found, Status.WARN, f"no |z| exceeds {data.z_threshold:g}")
    if result.count or not short:
        return result
    share = f"{short} of {len(data.contracts)} contracts"
    message = f"{share} have fewer than {least} returns, too few to tell an outlier."
    return CheckResult("outliers", Status.INSUFFICIENT, message)


CHECKS: tuple[Check, ...] = (
    availability,
    order,
    duplicates,
    whole_seconds,
    empty_series,
    prices_positive,
    missing_values,
    spx_at_bars,
    vix_at_bars,
    outliers,
)
"""All checks, in the order of the report."""


def minimum_returns(z_threshold: float) -> int:
    """The least n of which a z-score can exceed `z_threshold`, and at least `MIN_RETURNS`."""
    # (n - 1) / sqrt(n) > z  <=>  sqrt(n) > (z + sqrt(z^2 + 4)) / 2
    least = math.floor(((z_threshold + math.hypot(z_threshold, 2)) / 2) ** 2) + 1
    return max(MIN_RETURNS, least)


def _index_at_bars(
    check: str, data: Dataset, index: ColumnFile | None, column: str, tolerance: np.timedelta64
) -> CheckResult:
    if data.prices is None or index is None:
        return _not_checked(check)
    bars, known_at = data.prices.unchecked_timestamps(), index.unchecked_timestamps()
    if _disordered(bars).any() or _disordered(known_at).any():
        return _not_checked(check)
    values = index.values(column, 0, index.rows)
    present = ~np.isnan(values)
    missing = np.isnan(as_of(bars, known_at[present], values[present], tolerance))
    found = [_found(data.prices, column, missing, "there is no value for this bar")]
    worst = Status.FAIL if missing.all() else Status.WARN
    return _result(check, found, worst, f"there is a {column} value at every bar")


def _result(check: str, parts: Iterable[Found], status: Status, good: str) -> CheckResult:
    found = list(parts)
    count = sum(part.count for part in found)
    if not count:
        return CheckResult(check, Status.PASS, f"{good[0].upper()}{good[1:]}.")
    findings = tuple(islice((one for part in found for one in part.findings), MAX_FINDINGS))
    first = findings[0]
    where = f" at {first.timestamp}" if first.timestamp else ""
    message = f"{count} found, the first: {first.source}{where}: {first.detail}."
    return CheckResult(check, status, message, count, findings)


def _not_checked(check: str) -> CheckResult:
    message = "Not checked: what it needs is missing or out of order, see the other checks."
    return CheckResult(check, Status.INSUFFICIENT, message)


def _found(file: ColumnFile, source: str, where: npt.NDArray[np.bool_], detail: str) -> Found:
    """The findings at the rows of `file` where `where` is true."""
    rows = np.flatnonzero(where)
    if not len(rows):
        return Found(0, ())
    stamps = file.unchecked_timestamps()
    findings = tuple(
        Finding(source, detail, int(row), _text(stamps[row])) for row in rows[:MAX_FINDINGS]
    )
    return Found(len(rows), findings)


def _text(stamp: np.datetime64) -> str | None:
    return None if np.isnat(stamp) else f"{stamp.astype('datetime64[s]')}Z"


def _disordered(stamps: Timestamps) -> npt.NDArray[np.bool_]:
    back = np.concatenate(([False], stamps[1:] < stamps[:-1]))
    return back | np.isnat(stamps)


def _repeated(stamps: Timestamps) -> npt.NDArray[np.bool_]:
    """Whether a stamp occurred in an earlier row, wherever that was."""
    repeated = np.ones(len(stamps), np.bool_)
    repeated[np.unique(stamps, return_index=True)[1]] = False
    return repeated & ~np.isnat(stamps)


def _returns(prices: Floats) -> Floats:
    """Returns over the row before, as fractions, NaN where there is none, shape (n,)."""
    returns = np.full(len(prices), np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        returns[1:] = prices[1:] / prices[:-1] - 1
    returns[np.isinf(returns)] = np.nan
    return returns


def _z_scores(returns: Floats, least: int) -> Floats | None:
    """Distances from the mean in standard deviations (ddof 1), None of fewer than `least`."""
    known = returns[~np.isnan(returns)]
    if len(known) < least:
        return None
    deviation = known.std(ddof=1)
    return np.zeros(len(returns)) if deviation == 0 else (returns - known.mean()) / deviation
