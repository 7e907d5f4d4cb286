"""Make the report of a portfolio from the stored results, and store it beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from lake.market.aggregate import REPORT, Aggregation
from lake.market.series import read_market_series
from lake.status import ContractStatus, PartitionStatus
from storage.directory import open_directory
from trading.arrays import Timestamps
from trading.bars.quality.findings import ValidationReport
from trading.portfolio.positions import Trades
from trading.report.content import (
    DONE,
    FAILED,
    MISSING,
    STALE,
    KnownStatus,
    ReportContent,
    RunAccount,
    report_content,
)
from trading.report.page import page

CODES = {
    PartitionStatus.MISSING: float(MISSING),
    PartitionStatus.STALE: float(STALE),
    PartitionStatus.FAILED: float(FAILED),
    PartitionStatus.DONE: float(DONE),
}


def read_content(
    aggregation: Aggregation,
    *,
    run: RunAccount | None = None,
    status: KnownStatus | None = None,
    validation: ValidationReport | None = None,
) -> ReportContent:
    """What the report of an aggregation shows; reads the market of the results.

    Args:
        aggregation: The portfolio and where it comes from.
        run: The run that made the results, when there was one.
        status: Of every partition, when more is known than the results tell; None for what they do.
        validation: What validation found, when it was looked at.

    Raises:
        DataError: A file is not a result of its contract.
        StorageError: A file cannot be read.
    """
    made = aggregation.portfolio.trades
    wanted = aggregation.wanted
    market = read_market_series(aggregation.output_dir, made.contracts, made.timestamps, wanted)
    if status is None:
        basis = f"{wanted.input_dir}, by {wanted.grain.value}"
        status = known_status(aggregation.statuses, wanted.timestamps, made, basis)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return report_content(
        aggregation, market, made_at=now, run=run, status=status, validation=validation
    )


def known_status(
    statuses: Sequence[ContractStatus], stamps: Timestamps, made: Trades, basis: str
) -> KnownStatus:
    """The status of each of a portfolio's bars, from that of the partitions that hold them.

    Args:
        statuses: Of all partitions of the contracts.
        stamps: All bar starts of the input, UTC, increasing, shape (n,).
        made: The portfolio's rows.
        basis: What the status was measured against, for the caption.
    """
    row = np.searchsorted(stamps, made.timestamps).clip(max=len(stamps) - 1)
    there = stamps[row] == made.timestamps
    codes = {}
    for status in statuses:
        of_row = np.repeat([CODES[s] for s in status.states], [len(p) for p in status.partitions])
        codes[status.contract] = np.where(there, of_row[row], np.nan)
    return KnownStatus(codes, basis)


def write_report(content: ReportContent, command: str, prune: str) -> str:
    """Write `_portfolio/report.html`, whole or not at all, and return its URL.

    Args:
        content: What it shows.
        command: The shell command that makes it again.
        prune: The shell command that removes results that nothing asks for.

    Raises:
        StorageError: It cannot be written; an earlier one is still there.
    """
    directory = open_directory(content.aggregation.output_dir, "output_dir")
    directory.write_bytes(REPORT, page(content, command, prune).encode())
    return directory.url_of(REPORT)
