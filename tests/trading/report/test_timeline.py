"""Bars in bins: every bar in one, in order, and labels that fit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.markets import session_timestamps
from trading.report.timeline import MIN_GAP, timeline


@given(bars=st.integers(1, 600), bins=st.integers(1, 240), at_most=st.integers(2, 12))
def test_every_bar_is_in_one_bin_and_few_labels_stand_apart(
    bars: int, bins: int, at_most: int
) -> None:
    stamps = session_timestamps(bars // 8 + 1)[:bars]
    time = timeline(stamps, bins)
    assert time.bins == min(bars, bins)
    assert (np.diff(time.bin_of) >= 0).all()
    sizes = np.bincount(time.bin_of, minlength=time.bins)
    assert sizes.sum() == bars
    assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(time.bin_of[time.starts], np.arange(time.bins))
    assert len(time.labels()) == time.bins
    ticks = list(time.ticks(at_most))
    assert 0 < len(ticks) <= at_most
    assert all(b - a >= MIN_GAP * time.bins for a, b in pairwise(ticks))


@given(st.lists(st.one_of(st.none(), st.floats(-100, 100)), min_size=1, max_size=60))
def test_values_of_a_bin_are_the_mean_the_last_and_the_least(values: list[float | None]) -> None:
    array = np.array([np.nan if v is None else v for v in values])
    time = timeline(session_timestamps(8)[: len(array)], 7)
    parts = [array[time.bin_of == i] for i in range(time.bins)]
    known = [part[np.isfinite(part)] for part in parts]
    wanted = [part.mean() if len(part) else np.nan for part in known]
    np.testing.assert_allclose(time.mean(array), wanted, atol=1e-9)
    np.testing.assert_array_equal(time.last(array), [part[-1] for part in parts])
    np.testing.assert_array_equal(time.least(array), [part.min() for part in parts])


def test_labels_name_a_bar_hours_of_a_day_or_days() -> None:
    stamps = session_timestamps(3)
    assert timeline(stamps).labels()[0] == "2024-01-02 09:30"
    assert timeline(stamps, 6).labels()[0] == "2024-01-02 09:30 to 12:30"
    assert timeline(stamps, 2).labels()[0] == "2024-01-02 to 2024-01-03"
    assert timeline(stamps).ticks(4) == {0: "2024-01-02", 8: "2024-01-03", 16: "2024-01-04"}
