"""Bars along a chart's horizontal axis: bins of neighbours, and where the labels go.

The axis counts bars, so that nights and weekends take no room.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.bars import Floats, Timestamps
from trading.exchange_time import local_times

Codes = npt.NDArray[np.int64]

MAX_BINS = 240
"""Most steps along the axis; more bars than that share one."""

MIN_GAP = 0.07
"""Smallest distance of two labels, as a share of the axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Bars grouped into bins of neighbours.

    Attributes:
        timestamps: Bar starts, UTC, increasing, shape (t,).
        bin_of: The bin of each bar, increasing from 0, shape (t,).
        starts: The first bar of each bin, shape (b,).
    """

    timestamps: Timestamps
    bin_of: Codes
    starts: Codes

    @property
    def bins(self) -> int:
        """How many bins there are."""
        return len(self.starts)

    def mean(self, values: Floats) -> Floats:
        """The mean of the values that are no NaN in each bin, NaN where there are none."""
        known = np.isfinite(values)
        sums = np.bincount(self.bin_of[known], values[known], self.bins)
        counts = np.bincount(self.bin_of[known], minlength=self.bins)
        return np.divide(sums, counts, out=np.full(self.bins, np.nan), where=counts > 0)

    def last(self, values: Floats) -> Floats:
        """The value at the last bar of each bin."""
        return values[np.append(self.starts[1:], len(self.timestamps)) - 1]

    def least(self, values: Floats) -> Floats:
        """The lowest value in each bin."""
        return np.minimum.reduceat(values, self.starts)

    def sum(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The sum over each bin."""
        return np.add.reduceat(values, self.starts)

    def labels(self) -> list[str]:
        """What each bin covers, e.g. `2024-01-02 09:30` or `2001-03-05 to 2001-05-02`."""
        local = local_times(self.timestamps)
        firsts, lasts = local[self.starts], self.last_of(local)
        return [_label(first, last) for first, last in zip(firsts, lasts, strict=True)]

    def last_of(
        self, stamps: npt.NDArray[np.datetime64]
    ) -> npt.NDArray[np.datetime64]:
        """The stamp of the last bar of each bin."""
        return stamps[np.append(self.starts[1:], len(stamps)) - 1]

    def ticks(self, at_most: int) -> dict[int, str]:
        """Bins at which a year, a month, a day or an hour begins, with its name.

        The finest of these of which there are no more than fit.
        """
        local = local_times(self.timestamps)[self.starts]
        chosen: dict[int, str] = {0: _day(local[0])}
        for unit, form in (("Y", 4), ("M", 7), ("D", 10), ("m", 16)):
            periods = local.astype(f"datetime64[{unit}]")
            begins = np.flatnonzero(periods[1:] != periods[:-1]) + 1
            if not len(begins):
                continue
            if len(begins) + 1 > at_most and len(chosen) > 1:
                break
            step = -(-len(begins) // max(1, at_most - 1))
            names = {int(i): str(local[i])[:form] for i in begins[step - 1 :: step]}
            chosen = _spread({0: str(local[0])[:form], **names}, self.bins)
            if len(begins) + 1 > at_most:
                break
        return {i: name[11:] if len(name) > len("2024-01-02") else name for i, name in chosen.items()}


def timeline(timestamps: Timestamps, bins: int = MAX_BINS) -> Timeline:
    """Group bars into at most `bins` bins of as equal a size as can be."""
    bars = len(timestamps)
    bins = min(bars, bins)
    starts = np.arange(bins) * bars // bins
    bin_of = np.zeros(bars, np.int64)
    bin_of[starts[1:]] = 1
    return Timeline(timestamps, np.cumsum(bin_of), starts)


def _spread(names: dict[int, str], bins: int) -> dict[int, str]:
    """The names without those that would be written over the one before."""
    kept: dict[int, str] = {}
    for i, name in sorted(names.items()):
        if kept and i - max(kept) < MIN_GAP * bins:
            if max(kept) == 0 and len(kept) == 1:
                kept = {i: name}  # what begins there says more than where the data begin
            continue
        kept[i] = name
    return kept


def _day(local: np.datetime64) -> str:
    return str(local.astype("datetime64[D]"))


def _minute(local: np.datetime64) -> str:
    return str(local.astype("datetime64[m]")).replace("T", " ")


def _label(first: np.datetime64, last: np.datetime64) -> str:
    if first == last:
        return _minute(first)
    if _day(first) == _day(last):
        return f"{_minute(first)} to {_minute(last)[11:]}"
    return f"{_day(first)} to {_day(last)}"
