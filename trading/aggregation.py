"""From stored results to a stored portfolio: read, aggregate, write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trading.calendar import bars_per_year
from trading.portfolio import Portfolio, portfolio
from trading.results import read_rows
from trading.storage import Directory, open_directory

FOLDER = "_portfolio"
"""Below the output directory; no contract's name begins with an underscore."""

NEEDED = ("price", "beta", "signal")
"""Columns of the results that a portfolio is made of."""


def aggregate(
    output_dir: str, contracts: Sequence[str] | None, cost_bps: float
) -> tuple[Portfolio, list[str]]:
    """Aggregate the stored results into a portfolio, and store that beside them.

    Args:
        output_dir: Where the results are, and where `_portfolio/` goes.
        contracts: The contracts to hold, or None for all that have results.
        cost_bps: Cost of one trade in basis points.

    Returns:
        The portfolio, and the URLs of the files written: `portfolio.parquet` (one row, the
        summary), `contracts.parquet` and `timeseries.parquet`.

    Raises:
        ParameterError: An argument is not usable.
        DataError: There are no results, or they are not usable.
        StorageError: A file cannot be read or written.
    """
    rows = read_rows(output_dir, contracts, NEEDED)
    stamps = np.unique(rows["timestamp"].cast(pa.timestamp("ns", "UTC")).to_numpy())
    made = portfolio(rows, bars_per_year=bars_per_year(stamps), cost_bps=cost_bps)
    directory = open_directory(output_dir, "output_dir")
    tables = {
        "portfolio": pa.Table.from_pylist([asdict(made.summary)]),
        "contracts": made.contracts,
        "timeseries": made.timeseries,
    }
    return made, [_write(directory, name, table) for name, table in tables.items()]


def _write(directory: Directory, name: str, table: pa.Table) -> str:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    file = f"{FOLDER}/{name}.parquet"
    directory.write_bytes(file, memoryview(sink.getvalue()))
    return directory.url_of(file)
