"""What resampling gives: bars that know when they end and how much of them there is."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from trading.arrays import Timestamps
from trading.bars.model import Bars

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ResampledBars:
    """Bars of one symbol and interval with their ends and counts, arrays of shape (n,).

    Attributes:
        bars: The bars, labelled by the start of their stretch of the grid.
        available_at: When each bar ends, UTC; from then on it may be used.
        expected: Minutes that the calendar expects in the bar, or sessions in a bar of days.
        present: How many of them the data have.
    """

    bars: Bars
    available_at: Timestamps
    expected: Counts
    present: Counts

    @property
    def complete(self) -> npt.NDArray[np.bool_]:
        """Where nothing is missing; a bar that has not ended is never complete."""
        complete: npt.NDArray[np.bool_] = self.present == self.expected
        return complete

    def __len__(self) -> int:
        """How many bars there are."""
        return len(self.bars)

    def __getitem__(self, rows: slice | npt.NDArray[np.bool_]) -> ResampledBars:
        """The bars at the given positions, or where the given mask holds."""
        return ResampledBars(
            **{field.name: getattr(self, field.name)[rows] for field in fields(self)}
        )
