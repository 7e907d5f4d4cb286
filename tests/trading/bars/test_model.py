"""The model of bars and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.bars.intervals import MINUTE_INTERVALS, SESSION_INTERVALS, Interval
from trading.bars.model import VALUES, Bars, joined

START = np.datetime64("2024-01-02T14:30", "ns")


def bars(count: int, first: int = 0) -> Bars:
    minutes = np.arange(first, first + count) * np.timedelta64(1, "m")
    values = np.arange(first, first + count, dtype=np.float64)
    columns = {name: values + 100 * position for position, name in enumerate(VALUES)}
    return Bars(symbol="AAPL", timestamps=START + minutes, **columns)


@given(st.integers(0, 20), st.integers(0, 20))
def test_slices_joined_again_are_the_whole(count: int, cut: int) -> None:
    whole = bars(count)
    again = joined([whole[:cut], whole[cut:]], "AAPL")
    np.testing.assert_array_equal(again.timestamps, whole.timestamps)
    for name in VALUES:
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))


def test_a_mask_keeps_timestamps_and_values_together() -> None:
    kept = bars(6)[np.array([True, False, True, False, False, True])]
    np.testing.assert_array_equal((kept.timestamps - START) / np.timedelta64(1, "m"), [0, 2, 5])
    np.testing.assert_array_equal(kept.close, [300, 302, 305])


def test_values_of_another_length_are_refused() -> None:
    columns = {name: np.zeros(2) for name in VALUES} | {"volume": np.zeros(3)}
    with pytest.raises(ValueError, match="volume"):
        Bars(symbol="AAPL", timestamps=START + np.arange(2), **columns)


def test_no_parts_make_no_bars() -> None:
    assert len(joined([], "AAPL")) == 0


def test_intervals_count_minutes_or_sessions() -> None:
    assert [i.minutes for i in MINUTE_INTERVALS] == [1, 3, 5, 8, 13, 21, 34, 55]
    assert [i.sessions for i in SESSION_INTERVALS] == [1, 3, 5, 8, 13, 21, 34]
    assert Interval.HOUR.minutes == 60
    with pytest.raises(ValueError, match="counts sessions"):
        _ = Interval.DAY.minutes
    with pytest.raises(ValueError, match="counts minutes"):
        _ = Interval.HOUR.sessions
