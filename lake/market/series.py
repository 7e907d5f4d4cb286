"""The market beside a portfolio, bar by bar, as the stored results have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lake.market.results import read_rows
from lake.market.wanted import Wanted
from storage.parquet.arrays import floats, integers
from trading.arrays import Timestamps
from trading.report.content import MarketSeries

COLUMNS = ("vix", "spx", "buy_threshold", "sell_threshold")


def read_market_series(
    output_dir: str,
    contracts: Sequence[str],
    timestamps: Timestamps,
    wanted: Wanted | None = None,
) -> MarketSeries:
    """The market at the given bars, from as few contracts' results as have them all.

    Args:
        output_dir: Where the results are.
        contracts: Contracts that have results; earlier ones are preferred.
        timestamps: The bars to tell of, UTC, increasing, shape (t,).
        wanted: What the input asks for, to read only that; None for whatever lies there.

    Raises:
        DataError: A file is not a result of its contract.
        StorageError: A file cannot be read.
    """
    series = {name: np.full(len(timestamps), np.nan) for name in COLUMNS}
    unknown = np.ones(len(timestamps), np.bool_)
    for contract in contracts:
        if not unknown.any():
            break
        rows = read_rows(output_dir, [contract], COLUMNS, wanted)
        stamps = integers(rows.column("timestamp")).view("datetime64[us]")
        at = np.searchsorted(timestamps, stamps.astype("datetime64[ns]"))
        at = np.minimum(at, len(timestamps) - 1)
        new = (timestamps[at] == stamps) & unknown[at]
        for name, values in series.items():
            values[at[new]] = floats(rows.column(name))[new]
        unknown[at[new]] = False
    return MarketSeries(timestamps, **series)
