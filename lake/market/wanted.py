"""Which results an input asks for: those of its contracts and bars, at one grain.

Whatever else lies in an output directory is no part of a portfolio: see `lake.market.orphaned`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lake.grain import Grain
from lake.keys import partitions
from lake.market.inputs import MarketData
from trading.arrays import Timestamps


@dataclass(frozen=True, eq=False)
class Wanted:
    """The results that an input asks for.

    Attributes:
        input_dir: Where the input is, for messages.
        contracts: Its contracts.
        timestamps: Its bar starts, UTC, strictly increasing, shape (n,).
        grain: What one result covers.
    """

    input_dir: str
    contracts: tuple[str, ...]
    timestamps: Timestamps
    grain: Grain

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of the files that each contract should have, without its folder.

        Raises:
            DataError: A timestamp is not a whole second.
        """
        any_contract = self.contracts[0]  # contracts share the bars of the data
        every = partitions(self.timestamps, any_contract, self.grain)
        return frozenset(p.relative_path.rpartition("/")[2] for p in every)

    def has_bars(self, timestamps: Timestamps) -> npt.NDArray[np.bool_]:
        """Which of these timestamps are bars of the input, shape as given."""
        at = np.searchsorted(self.timestamps, timestamps)
        at = np.minimum(at, len(self.timestamps) - 1)
        there: npt.NDArray[np.bool_] = self.timestamps[at] == timestamps
        return there


def wanted_results(market: MarketData, grain: Grain) -> Wanted:
    """The results that these data ask for.

    Raises:
        DataError: The timestamps are out of order.
        StorageError: They cannot be read.
    """
    return Wanted(market.input_dir, tuple(market.contracts), market.timestamps(), grain)
