"""Live bars as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trading.bars.model import VALUES, Bars
from trading.events import BarClosed


def bars_of(live: Sequence[BarClosed]) -> Bars:
    """Live bars of one symbol, in order of time, as arrays."""
    columns: Mapping[str, list[float | None]] = {
        name: [getattr(bar, name) for bar in live] for name in VALUES
    }
    return Bars(
        symbol=live[0].symbol,
        timestamps=np.array([bar.ts for bar in live], "datetime64[ns]"),
        # None becomes NaN.
        **{name: np.array(values, np.float64) for name, values in columns.items()},
    )
