"""The market beside a portfolio, bar by bar, as the stored results have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from trading.arrays import Floats, Timestamps

from lake.market.results import read_rows
from lake.market.wanted import Wanted
from storage.parquet.arrays import floats, integers

COLUMNS = ("vix", "spx", "buy_threshold", "sell_threshold")


@dataclass(frozen=True, slots=True, eq=False)
class MarketSeries:
    """What all contracts share at each bar; arrays of shape (t,), NaN where missing.

    Attributes:
        timestamps: Bar starts, UTC, increasing.
        vix: VIX in index points.
        spx: S&P 500 in index points.
        buy_threshold: Change in per cent above which a contract signals buy.
        sell_threshold: Change in per cent below which it signals sell.
    """

    timestamps: Timestamps
    vix: Floats
    spx: Floats
    buy_threshold: Floats
    sell_threshold: Floats

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.timestamps)


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
