from __future__ import annotations

import numpy as np
import pytest

from trading.arrays import Floats
from trading.indicators.window_sums import window_sums


def sums_of(values: Floats, window: int) -> Floats:
    return window_sums(values.copy(), window, (np.empty_like(values), np.empty_like(values)))


@pytest.mark.parametrize("window", [*range(1, 70), 97, 120, 128, 251])
def test_window_sums_are_the_sums_of_each_run(window: int) -> None:
    # Integers add without rounding, so the answer is exact.
    values = np.random.default_rng(window).integers(-1000, 1000, (2, 300)).astype(float)
    by_hand = [[row[i : i + window].sum() for i in range(301 - window)] for row in values]
    np.testing.assert_array_equal(sums_of(values, window), by_hand)


def test_window_sums_of_fewer_values_than_the_window_are_none() -> None:
    assert sums_of(np.ones((3, 4)), 5).shape == (3, 0)
    np.testing.assert_array_equal(sums_of(np.ones((3, 5)), 5), [[5.0], [5.0], [5.0]])
