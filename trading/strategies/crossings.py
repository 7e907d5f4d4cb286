"""Where one series crosses another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trading.arrays import Floats


def cross_above(a: Floats, b: Floats | float) -> npt.NDArray[np.bool_]:
    """Where a[t] > b[t] and a[t-1] <= b[t-1], shape (n,); never where one of the four is null."""
    above: npt.NDArray[np.bool_] = a > b
    not_above = a <= b
    crossed = np.zeros(len(a), bool)
    np.logical_and(above[1:], not_above[:-1], out=crossed[1:])
    return crossed


def cross_below(a: Floats, b: Floats | float) -> npt.NDArray[np.bool_]:
    """Where a[t] < b[t] and a[t-1] >= b[t-1], shape (n,); never where one of the four is null."""
    return cross_above(-a, -b)
