"""Rolling beta and correlation: sums over a sliding window by doubling.

The sum over the last 20 rows is the sum over 16 of them plus that over the other 4, and a sum
over 16 is two sums over 8. So the sums over all windows take about `log2(window)` vector
additions, and each is one fixed tree of additions over exactly its own rows. Therefore

- an outlier that left the window leaves no trace (a running sum `s += new - old` and a difference
  of cumulative sums keep its rounding error for ever);
- no output sees a later row, and the same rows give the same bits wherever they stand, alone or
  in a longer series.

The block method of van Herk ("A fast algorithm for local minimum and maximum filters", Pattern
Recognition Letters 13, 1992) needs three additions whatever the window, but there the bits depend
on where the blocks begin.

Central moments follow from raw ones, `Cxy = Sxy - Sx Sy / n`, exact enough unless the mean dwarfs
the deviation. Windows where it does (`Cxx < CONDITION * Sxx`) are done again by the corrected
two-pass formula, `sum(dx dy) - sum(dx) sum(dy) / n` (Chan, Golub & LeVeque, "Algorithms for
computing the sample variance", The American Statistician 37, 1983). The choice rests on the
window's own rows, so it is as causal as the sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trading.bars import Floats

Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Addition = tuple[Floats, Floats, Floats]
"""Two views whose values are added, and the view that takes the sums."""

CONDITION = 1e-3
"""Share of the raw second moment below which the central one has lost too many digits."""

ROUNDING = 1e-14
"""Relative spread of price ratios below which it is rounding: three half-ulps, with a margin."""

LINE = 8
"""Values in a line of the processor's cache, 64 bytes."""

REPAIR_CELLS = 1 << 18
"""Window cells that the two-pass formula takes at once, which bounds its memory."""


def window_sums(values: Floats, window: int, spare: tuple[Floats, Floats]) -> Floats:
    """Sum every run of `window` values along the last axis.

    Args:
        values: Shape (..., n), without NaN; overwritten.
        window: Length of a run, at least 1.
        spare: Two arrays of the shape of `values`, overwritten.

    Returns:
        Shape (..., n - window + 1), a view into one of the three arrays; element i is the sum of
        the values i to i + window - 1. Empty when n < window.
    """
    additions, sums = _additions([values, *spare], window)
    for left, right, total in additions:
        np.add(left, right, out=total)
    return sums


def _additions(buffers: list[Floats], window: int) -> tuple[list[Addition], Floats]:
    """The additions that sum every run of `window` values of the first of three buffers.

    A window of 60 is 5 windows of 12, which are 3 of 4, so prime factors of the window are taken
    one after the other: seven additions here, where doubling 60 takes eight.

    Returns:
        Views of the three buffers to be added and to be written, in order; and the view that
        holds the sums after them, in what is then the first buffer.
    """
    values, stride = buffers[0], 1
    if values.shape[-1] < window:
        return [], values[..., :0]
    additions: list[Addition] = []
    for factor in _prime_factors(window):
        values = _strided_additions(values, factor, stride, buffers, additions)
        stride *= factor
    return additions, values


def _strided_additions(
    values: Floats, count: int, stride: int, buffers: list[Floats], additions: list[Addition]
) -> Floats:
    """Append what sums `count` values that lie `stride` apart; returns the view of the sums.

    `values` is a view into the first buffer. The buffer of the sums is moved to the front.
    """
    length = values.shape[-1]
    power, held_by_power = values, 0
    total, held_by_total = values, -1
    span, covered = 1, 0
    while True:
        if count & span:
            if covered:
                fits = length - (covered + span - 1) * stride
                shifted = power[..., covered * stride : covered * stride + fits]
                total = total[..., :fits]
                additions.append((total, shifted, total))
            else:
                total, held_by_total = power, held_by_power
            covered += span
        if 2 * span > count:
            break
        fits = length - (2 * span - 1) * stride
        free = next(i for i in range(3) if i not in (held_by_power, held_by_total))
        shifted = power[..., span * stride : span * stride + fits]
        doubled = buffers[free][..., :fits]
        additions.append((power[..., :fits], shifted, doubled))
        power, held_by_power = doubled, free
        span *= 2
    buffers.insert(0, buffers.pop(held_by_total))
    return total


@lru_cache(maxsize=64)
def _prime_factors(number: int) -> tuple[int, ...]:
    """Prime factors in increasing order, with repetition; none of 1."""
    factors, divisor = [], 2
    while number > 1:
        if number % divisor:
            divisor += 1
        else:
            factors.append(divisor)
            number //= divisor
    return tuple(factors)


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


class _Work:
    """Where one sum over every window of a series is worked out, again and again.

    To allocate it for every series, or only to cut the views of it, would cost as much as the
    additions.

    Args:
        buffers: Three arrays of the length of the series and `window - 1`.
        window: Rows in a window.
    """

    def __init__(self, buffers: list[Floats], window: int) -> None:
        self._before, self._values = buffers[0][: window - 1], buffers[0][window - 1 :]
        self._additions, self._sums = _additions(buffers, window)

    def sum(self, absent: Rows, term: np.ufunc, *of: Floats) -> Floats:
        """Sum `term(*of)` over each window, the absent rows left out.

        Returns:
            Shape (n,), in this working memory.
        """
        self._before.fill(0.0)
        term(*of, out=self._values)
        self._values[absent] = 0.0
        for left, right, total in self._additions:
            np.add(left, right, out=total)
        return self._sums


def _aligned(length: int) -> Floats:
    """An uninitialised array of shape (length,) that begins at a cache line.

    NumPy writes 64 bytes at once where the processor can, and a write across two lines takes
    twice as long.
    """
    array = np.empty(length + LINE)
    start = -array.ctypes.data // array.itemsize % LINE
    return array[start : start + length]


def _works(rows: int, window: int) -> list[_Work]:
    """Working memory for three sums over the same windows that are used together.

    One sum is worked out after the other, in three buffers that the processor's cache can hold;
    the buffers of a sum are those that hold none of the sums before it.
    """
    buffers = [_aligned(rows + window - 1) for _ in range(5)]
    works = []
    for _ in range(3):
        at_work, others = buffers[:3], buffers[3:]
        works.append(_Work(at_work, window))
        held, *free = at_work
        buffers = [*free, *others, held]
    return works


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
        self._x = x
        self._window = window
        self._min_periods = min_periods
        self._works = _works(len(x), window)
        with np.errstate(all="ignore"):
            self._complete = self._explained(np.isfinite(x))

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
            side = self._complete
            sums = self._sums(y, side)
            largest = sums[1].max()
            if not np.isfinite(largest):
                side = self._explained(side.paired & np.isfinite(y))
                sums = self._sums(y, side)
                largest = sums[1].max()
            return self._solve(side, y, sums, largest)

    def _sums(self, y: Floats, side: _Explained) -> tuple[Floats, Floats, Floats]:
        """Sums of y, y² and xy over each window, shape (n,) each, in working memory."""
        return (
            self._works[0].sum(side.absent, np.positive, y),
            self._works[1].sum(side.absent, np.square, y),
            self._works[2].sum(side.absent, np.multiply, y, side.x),
        )

    def _solve(
        self, side: _Explained, y: Floats, sums: tuple[Floats, Floats, Floats], largest: np.float64
    ) -> tuple[Floats, Floats]:
        """Slope and correlation from the windows' sums of y, y² and xy, which are overwritten.

        `largest` is the largest sum of y².
        """
        sy, syy, sxy = sums
        slope, correlation = np.empty(len(y)), np.empty(len(y))
        cxy = np.subtract(sxy, np.multiply(sy, side.mean, out=slope), out=sxy)
        np.multiply(np.square(sy, out=slope), side.inverse_count, out=slope)
        cyy = np.subtract(syy, slope, out=slope)
        smallest = cyy[side.first :].min(initial=np.inf)
        # Two extremes tell of most series that no window needs a closer look.
        if not smallest >= CONDITION * largest or len(side.repaired):
            self._repair(side, y, np.flatnonzero(cyy < CONDITION * syy), cxy, cyy)
            smallest = cyy[side.first :].min(initial=np.inf)
        if not largest < np.inf:  # Squares overflowed: nothing can be said of those windows.
            cyy[~np.isfinite(cyy)] = np.nan
            cxy[np.isnan(cyy) | ~np.isfinite(cxy)] = np.nan
        np.sqrt(cyy, out=correlation)
        if not smallest > self._window * (ROUNDING * (100.0 + np.sqrt(largest))) ** 2:
            correlation[_constant(cyy, sy * side.inverse_count, side.count)] = np.nan
        np.divide(np.multiply(cxy, side.inverse_root, out=syy), correlation, out=correlation)
        np.multiply(cxy, side.inverse_variance, out=slope)
        known = correlation[side.first :]
        # Rounding seldom goes past 1, and to look is a third of the work of clipping.
        if not (known.max(initial=-1.0) <= 1.0 and known.min(initial=1.0) >= -1.0):
            np.clip(correlation, -1.0, 1.0, out=correlation)
        return slope, correlation

    def _explained(self, paired: Mask) -> _Explained:
        x = np.where(paired, self._x, 0.0)
        absent = np.flatnonzero(~paired)
        sx, sxx, count = (
            self._works[0].sum(absent, np.positive, x).copy(),
            self._works[1].sum(absent, np.square, x).copy(),
            self._works[2].sum(absent, np.positive, paired.astype(float)).copy(),
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

    def _repair(self, side: _Explained, y: Floats, rows: Rows, cxy: Floats, cyy: Floats) -> None:
        """Overwrite the moments of the ill-conditioned windows in place."""
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
