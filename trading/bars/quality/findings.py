"""What the checks of the market data take, and how they report what they found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Protocol

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.bars.context import SPX, VIX

MAX_FINDINGS = 20
"""Findings that a check names; it counts all."""


class SeriesFile(Protocol):
    """A file of time series, read by column; `storage.parquet.column_file` has the real one.

    Attributes:
        url: Where the file is, for messages.
        columns: Names of its columns but `timestamp`.
        rows: How many rows it has.
    """

    url: str
    columns: tuple[str, ...]
    rows: int

    def unchecked_timestamps(self) -> Timestamps:
        """All timestamps as the file has them, in any order, `NaT` where missing."""

    def values(self, column: str, first: int, last: int) -> Floats:
        """One column's values in the rows first <= row < last, NaN where missing."""


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
class ValidationReport:
    """What all checks came to.

    Attributes:
        input_dir: What was checked.
        status: PASS, WARN or FAIL: the worst of the checks; INSUFFICIENT counts as PASS, since
            too few data to judge is no reason to stop.
        checks: The result of each check.
        contracts: The contracts that were checked.
        bars: How many bars each has.
    """

    input_dir: str
    status: Status
    checks: tuple[CheckResult, ...]
    contracts: tuple[str, ...]
    bars: int

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The checks that found something, in the order of the report."""
        return tuple(check for check in self.checks if check.status.severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From where on what is odd is reported.

    Attributes:
        z: Standard deviations from the mean beyond which a return is an outlier.
        robust_z: The same by median and MAD.
        stale_bars: Equal closes in a row that are too many to be trading.
        split_tolerance: How far, as a fraction, a price may have moved besides a split.
        vix_tolerance: The oldest VIX that counts as current.
    """

    z: float
    robust_z: float
    stale_bars: int
    split_tolerance: float
    vix_tolerance: np.timedelta64


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is checked: the files that could be opened, and what was asked of them.

    Attributes:
        prices: The price file, None when it cannot be opened.
        vix: The VIX file, None when it cannot be opened.
        spx: The S&P 500 file, None when it cannot be opened.
        problems: Why files, columns or contracts are not available.
        contracts: The contracts to check, all of them available.
        thresholds: From where on what is odd is reported.
    """

    prices: SeriesFile | None
    vix: SeriesFile | None
    spx: SeriesFile | None
    problems: tuple[Finding, ...]
    contracts: tuple[str, ...]
    thresholds: Thresholds

    def files(self) -> Iterator[SeriesFile]:
        """The files that could be opened."""
        return (file for file in (self.prices, self.vix, self.spx) if file is not None)

    def series(self) -> Iterator[tuple[str, SeriesFile, Floats]]:
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


def conclude(check: str, parts: Iterable[Found], status: Status, good: str) -> CheckResult:
    """What a check came to: `status` when it found anything, else PASS, as `good` says."""
    found = list(parts)
    count = sum(part.count for part in found)
    if not count:
        return CheckResult(check, Status.PASS, f"{good[0].upper()}{good[1:]}.")
    findings = tuple(islice((one for part in found for one in part.findings), MAX_FINDINGS))
    first = findings[0]
    where = f" at {first.timestamp}" if first.timestamp else ""
    message = f"{count} found, the first: {first.source}{where}: {first.detail}."
    return CheckResult(check, status, message, count, findings)


def not_checked(check: str) -> CheckResult:
    """That a check could not be made."""
    message = "Not checked: what it needs is missing or out of order, see the other checks."
    return CheckResult(check, Status.INSUFFICIENT, message)


def rows_found(
    file: SeriesFile,
    source: str,
    where: npt.NDArray[np.bool_],
    detail: str | Callable[[int], str],
) -> Found:
    """The findings at the rows of `file` where `where` is true.

    Args:
        file: What has the rows.
        source: The contract, index or file concerned.
        where: Which rows, shape (file.rows,).
        detail: What is wrong; of each row, where that differs.
    """
    rows = np.flatnonzero(where)
    if not len(rows):
        return Found(0, ())
    stamps = file.unchecked_timestamps()
    findings = tuple(
        Finding(source, detail if isinstance(detail, str) else detail(row), row, text(stamps[row]))
        for row in rows[:MAX_FINDINGS].tolist()
    )
    return Found(len(rows), findings)


def text(stamp: np.datetime64) -> str | None:
    """A stamp in ISO 8601, None for a missing one."""
    return None if np.isnat(stamp) else f"{stamp.astype('datetime64[s]')}Z"


def disordered(stamps: Timestamps) -> npt.NDArray[np.bool_]:
    """Whether a stamp is missing or earlier than the one before, shape (n,)."""
    back = np.concatenate(([False], stamps[1:] < stamps[:-1]))
    return back | np.isnat(stamps)
