"""Rolling beta and correlation from the sums of `window_sums` over a sliding window.

Central moments follow from raw ones, `Cxy = Sxy - Sx Sy / n`, exact enough unless the mean dwarfs
the deviation. Windows where it does (`Cxx < CONDITION * Sxx`) are done again by the corrected
two-pass formula, `sum(dx dy) - sum(dx) sum(dy) / n` (Chan, Golub & LeVeque, "Algorithms for
computing the sample variance", The American Statistician 37, 1983). The choice rests on the
window's own rows, so it is as causal as the sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats
from trading.indicators.window_sums import SumsOfTerms, window_sums

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]

CONDITION = 1e-3
"""Share of the raw second moment below which the central one has lost too many digits."""

ROUNDING = 1e-14
"""Relative spread of price ratios below which it is rounding: three half-ulps, with a margin."""

GAP_SHARE = 0.25
"""Share of windows with a gap, each counted for every gap, up to which they are regressed apart."""

REPAIR_CELLS = 1 << 18
"""Window cells that the two-pass formula takes at once, which bounds its memory."""


@dataclass(frozen=True, slots=True, eq=False)
class _Explained:
    """What regressions on one x share, when they are complete at the same rows. Shapes (n,).

    Attributes:
        x: Values, 0 where there is no pair.
        paired: Where there is a pair.
        absent: The rows without one.
        count: Pairs in the window.
        inverse_count: 1 / count, 0 where count is 0.
        mean: Mean of x over the window.
        usable: Where there are enough pairs and x varies.
        first: The first usable row, n when there is none.
        inverse_variance: 1 / Cxx, NaN where not usable.
        inverse_root: 1 / sqrt(Cxx), NaN where not usable.
        repaired: Usable rows where the mean of x dwarfs its deviation.
    """

    x: Floats
    paired: Mask
    absent: Rows
    count: Floats
    inverse_count: Floats
    mean: Floats
    usable: Mask
    first: int
    inverse_variance: Floats
    inverse_root: Floats
    repaired: Rows


class RollingRegression:
    """Least-squares regressions on one series over a sliding window of rows.

    A row's window is itself and the `window - 1` rows before it. A pair counts when both values
    are finite. The slope is null with fewer than `min_periods` pairs or when x does not vary, the
    correlation also when y does not. "Does not vary" means: a standard deviation of at most
    `ROUNDING * (100 + |mean|)`, what rounding makes of equal price ratios.

    Args:
        x: Returns in per cent that explain, shape (n,), NaN where missing.
        window: Rows in the window, at least 2.
        min_periods: Pairs needed, at least 2.
    """

    def __init__(self, x: Floats, window: int, min_periods: int) -> None:
        self._window = window
        self._min_periods = min_periods
        self._terms = SumsOfTerms(len(x), window)
        with np.errstate(all="ignore"):
            self._side = self._explained(x)

    def on(self, y: Floats) -> tuple[Floats, Floats]:
        """Regress `y` on x in every window. Not to be called from two threads at once.

        Args:
            y: Returns in per cent to explain, shape (n,), NaN where missing.

        Returns:
            Slope and Pearson's correlation, shape (n,) each, NaN where null. Slopes too large for
            a float64 are null.
        """
        if not len(y):
            return np.empty(0), np.empty(0)
        with np.errstate(all="ignore"):
            syy = self._terms.sum(self._side.absent, np.square, y, out=np.empty(len(y)))
            largest = syy.max()
            if not np.isfinite(largest):
                missing = np.flatnonzero(self._side.paired & ~np.isfinite(y))
                if len(missing):
                    return self._on_gaps(y, missing)
            return self._solve(y, syy, largest)

    def _on_gaps(self, y: Floats, missing: Rows) -> tuple[Floats, Floats]:
        """Regress a `y` that misses values where x does not.

        Windows with such a row are regressed in a series of those stretches alone. What a window
        gives rests on its own rows only, so it is the same there.
        """
        side, before = self._side, self._window - 1
        paired = side.paired.copy()
        paired[missing] = False
        if len(missing) * self._window > GAP_SHARE * len(y):
            return self._apart(np.arange(len(y)), paired, y)
        # Rows that share a window with a gap; a series begins as if gaps were before it.
        near = np.zeros(len(y) + 2 * before, bool)
        near[missing[:, None] + np.arange(2 * before + 1)] = True
        rows = np.flatnonzero(near[: len(y) + before]) - before
        filled = y.copy()
        filled[missing] = 0.0
        whole, stretches = self.on(filled), self._apart(rows, paired, y)
        ends = before + np.flatnonzero(rows[before:] - rows[: len(rows) - before] == before)
        for all_windows, near_gaps in zip(whole, stretches, strict=True):
            all_windows[rows[ends]] = near_gaps[ends]
        return whole

    def _apart(self, rows: Rows, paired: Mask, y: Floats) -> tuple[Floats, Floats]:
        """Regress the series of these rows alone; negative ones are gaps, as are unpaired ones."""
        x = np.where(paired[rows] & (rows >= 0), self._side.x[rows], np.nan)
        return RollingRegression(x, self._window, self._min_periods).on(y[rows])

    def _solve(self, y: Floats, syy: Floats, largest: np.float64) -> tuple[Floats, Floats]:
        """Slope and correlation; `syy`, the windows' sums of y², becomes the latter.

        `largest` is the largest of them.
        """
        side, slope, cyy = self._side, np.empty(len(y)), syy
        # A sum lasts until the next one: what is needed of it is taken at once.
        sy = self._sum(y)
        np.multiply(sy, side.mean, out=slope)
        cyy -= np.multiply(np.square(sy, out=sy), side.inverse_count, out=sy)
        sxy = self._terms.sum(side.absent, np.multiply, y, side.x)
        cxy = np.subtract(sxy, slope, out=slope)
        smallest = cyy[side.first :].min(initial=np.inf)
        # Two extremes tell of most series that no window needs a closer look.
        if not smallest >= CONDITION * largest or len(side.repaired):
            syy = self._terms.sum(side.absent, np.square, y)
            self._repair(y, np.flatnonzero(cyy < CONDITION * syy), cxy, cyy)
            smallest = cyy[side.first :].min(initial=np.inf)
        if not largest < np.inf:  # Squares overflowed: nothing can be said of those windows.
            cyy[~np.isfinite(cyy)] = np.nan
            cxy[np.isnan(cyy) | ~np.isfinite(cxy)] = np.nan
        if not smallest > self._window * (ROUNDING * (100.0 + np.sqrt(largest))) ** 2:
            mean = self._sum(y) * side.inverse_count
            cyy[_constant(cyy, mean, side.count)] = np.nan
        correlation = np.sqrt(cyy, out=cyy)
        np.divide(np.multiply(cxy, side.inverse_root, out=sxy), correlation, out=correlation)
        np.multiply(cxy, side.inverse_variance, out=slope)
        known = correlation[side.first :]
        # Rounding seldom goes past 1, and to look is a third of the work of clipping.
        if not (known.max(initial=-1.0) <= 1.0 and known.min(initial=1.0) >= -1.0):
            np.clip(correlation, -1.0, 1.0, out=correlation)
        return slope, correlation

    def _sum(self, values: Floats) -> Floats:
        # Times 1, which is twice as fast as `np.positive`.
        return self._terms.sum(self._side.absent, np.multiply, values, 1.0)

    def _explained(self, x: Floats) -> _Explained:
        paired = np.isfinite(x)
        x = np.where(paired, x, 0.0)
        absent = np.flatnonzero(~paired)
        sx, sxx, count = (
            self._terms.sum(absent, np.multiply, *of, out=np.empty(len(x)))
            for of in ((x, 1.0), (x, x), (paired, 1.0))
        )
        inverse_count = np.divide(1.0, count, out=np.zeros_like(count), where=count > 0)
        mean = sx * inverse_count
        cxx = sxx - sx * mean
        usable = count >= self._min_periods
        repaired = np.flatnonzero(usable & (cxx < CONDITION * sxx))
        cxx[repaired] = _two_pass(x, x, (paired, inverse_count), repaired, self._window)[1]
        usable &= np.isfinite(cxx) & ~_constant(cxx, mean, count)
        first = int(np.argmax(usable)) if usable.any() else len(x)
        variance = np.where(usable, cxx, np.nan)
        return _Explained(
            x=x,
            paired=paired,
            absent=absent,
            count=count,
            inverse_count=inverse_count,
            mean=mean,
            usable=usable,
            first=first,
            inverse_variance=1.0 / variance,
            inverse_root=1.0 / np.sqrt(variance),
            repaired=repaired[usable[repaired]],
        )

    def _repair(self, y: Floats, rows: Rows, cxy: Floats, cyy: Floats) -> None:
        """Overwrite the moments of the ill-conditioned windows in place."""
        side = self._side
        rows = rows[side.usable[rows]]
        if len(side.repaired):
            rows = np.union1d(rows, side.repaired)
        if len(rows):
            y = np.where(side.paired, y, 0.0)
            pairs = (side.paired, side.inverse_count)
            cxy[rows], cyy[rows] = _two_pass(side.x, y, pairs, rows, self._window)


def _constant(moment: Floats, mean: Floats, count: Floats) -> Mask:
    """Whether central second moments of returns in per cent are no more than rounding."""
    limit: Mask = moment <= count * (ROUNDING * (100.0 + np.abs(mean))) ** 2
    return limit


def _two_pass(
    x: Floats, y: Floats, pairs: tuple[Mask, Floats], rows: Rows, window: int
) -> tuple[Floats, Floats]:
    """Cxy and Cyy of the windows that end at `rows`, by the corrected two-pass formula.

    Args:
        x: Shape (n,), no NaN.
        y: Shape (n,), no NaN.
        pairs: Where values count, shape (n,), and one over how many do in each window, shape (n,).
        rows: Window ends, shape (m,).
        window: Rows in a window.
    """
    cxy, cyy = np.empty(len(rows)), np.empty(len(rows))
    paired, inverse_count = pairs
    step = max(1, REPAIR_CELLS // window)
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        cells = rows[part, None] + np.arange(1 - window, 1)
        inside = cells >= 0
        cells = np.maximum(cells, 0)
        counted = paired[cells] & inside
        weight = inverse_count[rows[part], None]
        both = np.stack([x[cells], y[cells]])
        both = np.where(counted, both - _totals(np.where(counted, both, 0.0)) * weight, 0.0)
        dx, dy = both
        sx, sy, sxy, syy = _totals(np.stack([dx, dy, dx * dy, dy * dy]))
        cxy[part] = (sxy - sx * sy * weight)[:, 0]
        cyy[part] = (syy - sy * sy * weight)[:, 0]
    return cxy, cyy


def _totals(values: Floats) -> Floats:
    """Sum over the last axis, shape (..., 1), in an order of its length only; overwrites."""
    spare = (np.empty_like(values), np.empty_like(values))
    return window_sums(values, values.shape[-1], spare)
