"""Bars of one contract with the market around them, aligned: what the analysis takes."""

from __future__ import annotations

from dataclasses import dataclass

from trading.arrays import Floats, Timestamps


@dataclass(frozen=True, slots=True, eq=False)
class ContractBars:
    """A run of consecutive bars of one contract.

    Attributes:
        contract: The traded instrument's symbol.
        timestamps: Bar starts, UTC, strictly increasing, shape (n,).
        price: Close prices in dollars, shape (n,), NaN where missing.
        vix: VIX in index points as of each bar, shape (n,), NaN where none is recent enough.
        spx: S&P 500 close in index points at each bar, shape (n,), NaN where missing.
    """

    contract: str
    timestamps: Timestamps
    price: Floats
    vix: Floats
    spx: Floats

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.timestamps)

    def __getitem__(self, rows: slice) -> ContractBars:
        """The bars at the given positions, as views."""
        return ContractBars(
            self.contract,
            self.timestamps[rows],
            self.price[rows],
            self.vix[rows],
            self.spx[rows],
        )
