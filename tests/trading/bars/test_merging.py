"""Deliveries of the same bars: the later counts, whatever their order and number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.merging import NEW_BAR, Correction, corrections, merged
from trading.bars.model import VALUES, Bars


def bars(minutes: list[int], value: float = 1.0) -> Bars:
    stamps = np.datetime64("2024-01-02T14:30", "ns") + np.array(minutes, int) * np.timedelta64(
        60, "s"
    )
    columns = {name: value + np.array(minutes, float) for name in VALUES}
    return Bars(symbol="AAPL", timestamps=stamps, **columns)


def same(one: Bars, other: Bars) -> bool:
    return (one.timestamps.tobytes() == other.timestamps.tobytes()) and all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in VALUES
    )


SETS = st.sets(st.integers(0, 30)).map(sorted)


@settings(deadline=None)
@given(SETS, SETS, SETS)
def test_parts_that_agree_make_the_same_whole_in_any_order(
    a: list[int], b: list[int], c: list[int]
) -> None:
    whole = bars(sorted({*a, *b, *c}))
    empty = Bars.empty("AAPL")
    for order in ((a, b, c), (c, a, b), (b, c, a, a), (c, b, a, c)):
        got = empty
        for part in order:
            got = merged(got, bars(part))
        assert same(got, whole)


@settings(deadline=None)
@given(SETS, SETS)
def test_of_two_that_differ_the_later_counts_and_what_it_lacks_is_kept(
    earlier: list[int], later: list[int]
) -> None:
    got = merged(bars(earlier, 1.0), bars(later, 5.0))
    minutes = (got.timestamps - np.datetime64("2024-01-02T14:30", "ns")) / np.timedelta64(60, "s")
    expected = [m + (5.0 if m in later else 1.0) for m in minutes.astype(int).tolist()]
    assert got.close.tolist() == expected
    assert (got.timestamps[1:] > got.timestamps[:-1]).all()


def test_corrections_name_what_changed_and_nothing_else() -> None:
    earlier, later = bars([0, 1, 2]), merged(bars([0, 1, 2]), bars([3]))
    close, vwap = later.close.copy(), later.vwap.copy()
    close[1], vwap[2] = 9.5, np.nan
    found = corrections(earlier, replace(later, close=close, vwap=vwap))
    stamps = later.timestamps
    assert found[0] == Correction(stamps[1], "close", 2.0, 9.5)
    assert (found[1].timestamp, found[1].column, found[1].old) == (stamps[2], "vwap", 3.0)
    assert np.isnan(found[1].new)
    assert (found[2].timestamp, found[2].column, found[2].new) == (stamps[3], NEW_BAR, 4.0)
    assert len(found) == 3


def test_a_value_that_stays_missing_is_no_correction() -> None:
    lacking = replace(bars([0]), vwap=np.array([np.nan]))
    assert corrections(lacking, lacking) == []
