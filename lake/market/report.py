"""Make the report of a portfolio from the stored results, and store it beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from lake.dataset import PartitionStatus, SymbolStatus
from lake.keys import Partition
from lake.market.aggregate import REPORT, Aggregation
from lake.market.results import read_results
from lake.market.wanted import WantedResults
from storage.directory import Directory
from storage.parquet.arrays import floats, integers
from trading.arrays import Timestamps
from trading.bars.quality.findings import ValidationReport
from trading.portfolio.positions import Trades
from trading.report.content import (
    DONE,
    FAILED,
    MISSING,
    STALE,
    KnownStatus,
    MarketSeries,
    ReportContent,
    RunAccount,
    report_content,
)
from trading.report.page import page

MARKET_COLUMNS = ("vix", "spx", "buy_threshold", "sell_threshold")
"""Columns of the results that all contracts share."""

CODES = {
    PartitionStatus.MISSING: float(MISSING),
    PartitionStatus.STALE: float(STALE),
    PartitionStatus.FAILED: float(FAILED),
    PartitionStatus.DONE: float(DONE),
    PartitionStatus.UNSETTLED: float(DONE),
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
    trades = aggregation.portfolio.trades
    wanted = aggregation.wanted
    market = read_market_series(aggregation.directory, trades.contracts, trades.timestamps, wanted)
    if status is None:
        basis = f"{wanted.input_dir}, by {wanted.grain.value}"
        status = known_status(aggregation.statuses, wanted.timestamps, trades, basis)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return report_content(
        aggregation, market, made_at=now, run=run, status=status, validation=validation
    )


def read_market_series(
    directory: Directory,
    contracts: Sequence[str],
    timestamps: Timestamps,
    wanted: WantedResults | None = None,
) -> MarketSeries:
    """The market at the given bars, from as few contracts' results as have them all.

    Args:
        directory: Where the results are.
        contracts: Contracts that have results; earlier ones are preferred.
        timestamps: The bars to tell of, UTC, increasing, shape (t,).
        wanted: What the input asks for, to read only that; None for whatever lies there.

    Raises:
        DataError: A file is not a result of its contract.
        StorageError: A file cannot be read.
    """
    series = {name: np.full(len(timestamps), np.nan) for name in MARKET_COLUMNS}
    unknown = np.ones(len(timestamps), np.bool_)
    for contract in contracts:
        if not unknown.any():
            break
        rows = read_results(directory, [contract], MARKET_COLUMNS, wanted)[0]
        stamps = integers(rows.column("timestamp")).view("datetime64[us]")
        at = np.searchsorted(timestamps, stamps.astype("datetime64[ns]"))
        at = np.minimum(at, len(timestamps) - 1)
        new = (timestamps[at] == stamps) & unknown[at]
        for name, values in series.items():
            values[at[new]] = floats(rows.column(name))[new]
        unknown[at[new]] = False
    return MarketSeries(timestamps, **series)


def known_status(
    statuses: Sequence[SymbolStatus[Partition]], stamps: Timestamps, trades: Trades, basis: str
) -> KnownStatus:
    """The status of each of a portfolio's bars, from that of the partitions that hold them.

    Args:
        statuses: Of all partitions of the contracts.
        stamps: All bar starts of the input, UTC, increasing, shape (n,).
        trades: The portfolio's rows.
        basis: What the status was measured against, for the caption.
    """
    row = np.searchsorted(stamps, trades.timestamps).clip(max=len(stamps) - 1)
    there = stamps[row] == trades.timestamps
    codes = {}
    for status in statuses:
        of_row = np.repeat([CODES[s] for s in status.states], [len(p) for p in status.keys])
        codes[status.symbol] = np.where(there, of_row[row], np.nan)
    return KnownStatus(codes, basis)


def write_report(directory: Directory, content: ReportContent, command: str, prune: str) -> str:
    """Write `_portfolio/report.html`, whole or not at all, and return its URL.

    Args:
        directory: The output directory.
        content: What it shows.
        command: The shell command that makes it again.
        prune: The shell command that removes results that nothing asks for.

    Raises:
        StorageError: It cannot be written; an earlier one is still there.
    """
    directory.write_bytes(REPORT, page(content, command, prune).encode())
    return directory.url_of(REPORT)
