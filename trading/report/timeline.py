"""Bars along a chart's horizontal axis: bins of neighbours, and where the labels go.

The axis counts bars, so that nights and weekends take no room.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats, Timestamps
from trading.instruments.clock import wall_times

Codes = npt.NDArray[np.int64]

MAX_BINS = 240
"""Most steps along the axis; more bars than that share one."""

_UNITS = (("Y", slice(4)), ("M", slice(7)), ("D", slice(10)), ("m", slice(11, 16)))
"""Units of time, and which letters of an ISO 8601 timestamp name one."""

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
        empty = np.full(self.bins, np.nan)
        means: Floats = np.divide(sums, counts, out=empty, where=counts > 0)
        return means

    def last(self, values: Floats) -> Floats:
        """The value at the last bar of each bin."""
        ends: Floats = values[self._lasts]
        return ends

    def least(self, values: Floats) -> Floats:
        """The lowest value in each bin."""
        lowest: Floats = np.minimum.reduceat(values, self.starts)
        return lowest

    @property
    def _lasts(self) -> Codes:
        """The last bar of each bin."""
        return np.append(self.starts[1:], len(self.timestamps)) - 1

    def labels(self) -> list[str]:
        """What each bin covers, e.g. `2024-01-02 09:30` or `2001-03-05 to 2001-05-02`."""
        local = wall_times(self.timestamps)
        firsts, lasts = local[self.starts], local[self._lasts]
        return [_label(first, last) for first, last in zip(firsts, lasts, strict=True)]

    def ticks(self, at_most: int) -> dict[int, str]:
        """Bins at which a year, a month, a day or an hour begins, with its name.

        The finest of these of which there are no more than fit.
        """
        local = wall_times(self.timestamps)[self.starts]
        chosen: dict[int, str] = {0: _day(local[0])}
        for unit, letters in _UNITS:
            periods = local.astype(f"datetime64[{unit}]")
            begins = np.flatnonzero(periods[1:] != periods[:-1]) + 1
            fits = len(begins) < at_most
            if not fits and len(chosen) > 1:
                break
            step = -(-len(begins) // (at_most - 1)) or 1
            names = {i: str(local[i])[letters] for i in (0, *begins[step - 1 :: step].tolist())}
            chosen = _spread(names, self.bins)
            if not fits:
                break
        return chosen


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
