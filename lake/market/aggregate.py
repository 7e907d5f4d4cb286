"""From stored results to a stored portfolio: read, aggregate, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq

from lake.market.lineage import origin
from lake.market.results import read_results
from storage.directory import Directory, open_directory
from trading.instruments.pace import pace
from trading.portfolio.origin import Aggregation
from trading.portfolio.performance import portfolio_of
from trading.portfolio.positions import trades

FOLDER = "_portfolio"
"""Below the output directory; no contract's name begins with an underscore."""

REPORT = f"{FOLDER}/report.html"
"""The page that `trading.report` makes of the portfolio."""

NEEDED = ("price", "beta", "signal")
"""Columns of the results that a portfolio is made of."""


def aggregate(output_dir: str, contracts: Sequence[str] | None, cost_bps: float) -> Aggregation:
    """Aggregate the stored results into a portfolio, and store that beside them.

    Args:
        output_dir: Where the results are, and where `_portfolio/` goes.
        contracts: The contracts to hold, or None for all that have results.
        cost_bps: Cost of one trade in basis points.

    Raises:
        ParameterError: An argument is not usable.
        DataError: There are no results, or they are not usable.
        StorageError: A file cannot be read or written.
    """
    rows, metadata = read_results(output_dir, contracts, NEEDED)
    made = trades(rows)
    del rows  # the trades hold what is needed of them: half the memory of a large set
    held = portfolio_of(made, pace=pace(made.timestamps), cost_bps=cost_bps)
    directory = open_directory(output_dir, "output_dir")
    tables = {
        "portfolio": pa.Table.from_pylist([asdict(held.summary)]),
        "contracts": held.contracts,
        "timeseries": held.timeseries,
    }
    files = tuple(_write(directory, name, table) for name, table in tables.items())
    return Aggregation(directory.url, held, origin(metadata), files)


def stored_cost_bps(output_dir: str) -> float | None:
    """The cost of a trade that the stored portfolio was made with; None without a portfolio.

    Raises:
        ParameterError: `output_dir` is not usable.
        StorageError: It cannot be accessed.
    """
    directory = open_directory(output_dir, "output_dir")
    file = f"{FOLDER}/portfolio.parquet"
    if directory.identity(file) is None:
        return None
    try:
        rows = pq.read_table(pa.BufferReader(directory.read_bytes(file)), columns=["cost_bps"])
        return float(rows["cost_bps"][0].as_py())
    except (pa.ArrowException, LookupError, TypeError):
        return None  # no portfolio of ours: it is replaced


def _write(directory: Directory, name: str, table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    file = f"{FOLDER}/{name}.parquet"
    directory.write_bytes(file, memoryview(sink.getvalue()))
    return directory.url_of(file)
