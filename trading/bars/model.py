"""Bars of one symbol and interval: open, high, low, close, volume."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps

PRICES = ("open", "high", "low", "close")
"""Fields that hold prices, and so change with a split."""

VALUES = (*PRICES, "volume", "vwap", "trades")
"""All fields but the timestamps, in the order of the files."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Bars:
    """A run of bars of one symbol and interval, arrays of shape (n,).

    Attributes:
        symbol: The instrument's symbol.
        timestamps: Bar starts, UTC, strictly increasing. A bar covers [start, end); when it ends
            is known to its session's grid alone, not to its label.
        open: First price in dollars.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Shares traded; fractional where the venue trades fractions.
        vwap: Volume-weighted average price, NaN where the source has none.
        trades: Number of trades, NaN where the source has none.
    """

    symbol: str
    timestamps: Timestamps
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats
    vwap: Floats
    trades: Floats

    def __post_init__(self) -> None:
        lengths = {name: len(getattr(self, name)) for name in VALUES}
        if set(lengths.values()) - {len(self.timestamps)}:
            raise ValueError(f"{len(self.timestamps)} timestamps and values of lengths {lengths}")

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.timestamps)

    def __getitem__(self, rows: slice | npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> Bars:
        """The bars at the given positions, or where the given mask holds."""
        arrays = (field.name for field in fields(self) if field.name != "symbol")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})

    @classmethod
    def empty(cls, symbol: str) -> Bars:
        """No bars of the symbol."""
        return cls(
            symbol=symbol,
            timestamps=np.empty(0, "datetime64[ns]"),
            **{name: np.empty(0) for name in VALUES},
        )


def joined(parts: list[Bars], symbol: str) -> Bars:
    """The bars of all parts, in the order given.

    Args:
        parts: Bars of the same symbol; none of them makes no bars.
        symbol: The symbol.
    """
    if not parts:
        return Bars.empty(symbol)
    return Bars(
        symbol=symbol,
        timestamps=np.concatenate([part.timestamps for part in parts]),
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in VALUES},
    )
