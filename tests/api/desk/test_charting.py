"""Times of charts rise strictly, by the clock of New York."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from api.desk.charting import chart_times

DAY = 86_400
NOVEMBER_1 = 1_793_491_200  # 2026-11-01, when clocks are set back


@given(st.sets(st.integers(NOVEMBER_1 + 4 * 3600, NOVEMBER_1 + 8 * 3600), max_size=60))
def test_times_rise_strictly_when_an_hour_comes_twice(seconds: set[int]) -> None:
    stamps = np.array(sorted(seconds), np.int64).astype("datetime64[s]").astype("datetime64[ns]")
    times, kept = chart_times(stamps)
    assert all(a < b for a, b in pairwise(times))
    assert kept.sum() == len(times)
    if len(stamps):
        assert kept[-1]


def test_times_are_those_of_the_clock_in_new_york() -> None:
    stamps = np.array(["2026-07-01T13:30", "2026-12-01T14:30"], "datetime64[ns]")
    times, _ = chart_times(stamps)
    assert [time % DAY for time in times] == [(9 * 60 + 30) * 60] * 2
