"""Sums over a sliding window by doubling.

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
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats

Rows = npt.NDArray[np.intp]
Addition = tuple[Floats, Floats, Floats]
"""Two views whose values are added, and the view that takes the sums."""

LINE = 8
"""Values in a line of the processor's cache, 64 bytes."""


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


class SumsOfTerms:
    """Sums of a series' terms over every window, worked out again and again in the same memory.

    To allocate it for every series, or only to cut the views of it, would cost as much as the
    additions.

    Args:
        rows: Length of the series.
        window: Rows in a window, at least 2.
    """

    def __init__(self, rows: int, window: int) -> None:
        buffers = [_aligned(rows + window - 1) for _ in range(3)]
        self._before, self._values = buffers[0][: window - 1], buffers[0][window - 1 :]
        self._additions, _ = _additions(buffers, window)

    def sum(
        self, absent: Rows, term: np.ufunc, *of: Floats | float, out: Floats | None = None
    ) -> Floats:
        """Sum `term(*of)` over each window, the absent rows left out.

        Args:
            absent: Rows whose terms count as 0, whatever they are.
            term: What to sum of each row.
            of: What the term is worked out from, scalars or of shape (n,).
            out: Where to write the sums, shape (n,); no view of this working memory.

        Returns:
            Shape (n,), in `out` or else in this working memory until the next sum.
        """
        if not len(self._values):
            return self._values
        self._before.fill(0.0)
        term(*of, out=self._values)
        self._values[absent] = 0.0
        *additions, (left, right, sums) = self._additions
        for one, other, total in additions:
            np.add(one, other, out=total)
        return np.add(left, right, out=sums if out is None else out)


def _aligned(length: int) -> Floats:
    """An uninitialised array of shape (length,) that begins at a cache line.

    NumPy writes 64 bytes at once where the processor can, and a write across two lines takes
    twice as long.
    """
    array = np.empty(length + LINE)
    start = -array.ctypes.data // array.itemsize % LINE
    return array[start : start + length]
