"""Make the report of a portfolio from the stored results, and store it beside them."""

from __future__ import annotations

from datetime import UTC, datetime

from trading.aggregation import FOLDER, Aggregation
from trading.market_series import read_market_series
from trading.report.content import KnownStatus, ReportContent, RunAccount, report_content
from trading.report.page import page
from trading.storage import open_directory

NAME = "report.html"


def read_content(
    aggregation: Aggregation,
    *,
    run: RunAccount | None = None,
    status: KnownStatus | None = None,
) -> ReportContent:
    """What the report of an aggregation shows; reads the market of the results.

    Raises:
        DataError: A file is not a result of its contract.
        StorageError: A file cannot be read.
    """
    made = aggregation.portfolio.trades
    market = read_market_series(aggregation.output_dir, made.contracts, made.timestamps)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return report_content(aggregation, market, made_at=now, run=run, status=status)


def write_report(content: ReportContent) -> str:
    """Write `_portfolio/report.html`, whole or not at all, and return its URL.

    Raises:
        StorageError: It cannot be written; an earlier one is still there.
    """
    directory = open_directory(content.aggregation.output_dir, "output_dir")
    directory.write_bytes(f"{FOLDER}/{NAME}", page(content).encode())
    return directory.url_of(f"{FOLDER}/{NAME}")
