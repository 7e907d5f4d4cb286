"""The pure parts of ingestion: complete bars, sessions to fetch, merging."""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.market_data.protocol import CloseInterval, ClosePrices
from lake.market.ingestion import IngestionError
from lake.market.ingestion.merging import aligned, common_factor, merged, price_ratios
from lake.market.ingestion.sessions import (
    complete_stock_bars,
    complete_vix_bars,
    sessions_between,
    usable,
)
from lake.market.ingestion.windows import JOINED_WITHIN, sessions_to_fetch, windows
from trading.instruments.clock import NEW_YORK, to_datetime64

DAY = date(2024, 10, 15)
LATER = datetime(2025, 1, 1, tzinfo=UTC)


def at(hour: int, minute: int = 30, day: date = DAY) -> datetime:
    return datetime.combine(day, time(hour, minute), NEW_YORK)


def prices(*bars: tuple[datetime, float]) -> ClosePrices:
    stamps = np.array([to_datetime64(start) for start, _ in bars], "datetime64[ns]")
    return ClosePrices(stamps, np.array([close for _, close in bars], float))


def hours(first: int, last: int, day: date = DAY) -> ClosePrices:
    return prices(*((at(hour, day=day), float(hour)) for hour in range(first, last + 1)))


def test_sessions_know_holidays_early_closes_and_clock_changes() -> None:
    sessions = sessions_between(date(2024, 11, 1), date(2024, 11, 30))
    assert len(sessions) == 20  # without Thanksgiving
    assert str(sessions.dates[-1]) == "2024-11-29"
    assert sessions.closes[-1] == to_datetime64(at(13, 0, date(2024, 11, 29)))
    # The clocks went back on the 3rd.
    assert (sessions.opens[:2] - sessions.midnights[:2] == np.timedelta64(570, "m")).all()
    assert sessions.opens[0] == np.datetime64("2024-11-01T13:30")
    assert sessions.opens[1] == np.datetime64("2024-11-04T14:30")


def test_a_moment_belongs_to_the_session_of_its_new_york_date() -> None:
    sessions = sessions_between(date(2024, 10, 14), date(2024, 10, 18))
    moments = [at(0, 0), at(23, 59), at(0, 0, date(2024, 10, 19)), at(23, 59, date(2024, 10, 13))]
    stamps = np.array([to_datetime64(moment) for moment in moments])
    assert sessions.positions(stamps).tolist() == [1, 1, -1, -1]


def test_a_weekend_belongs_to_no_session() -> None:
    sessions = sessions_between(date(2024, 10, 18), date(2024, 10, 21))
    saturday = np.array([to_datetime64(at(12, 0, date(2024, 10, 19)))])
    assert sessions.positions(saturday).tolist() == [-1]


@pytest.mark.parametrize(
    ("now", "last"),
    [(at(11, 0), 9), (at(10, 59), None), (at(16, 29), 14), (at(16, 30), 15)],
)
def test_a_bar_is_complete_half_an_hour_after_its_end(now: datetime, last: int | None) -> None:
    sessions = sessions_between(DAY, DAY)
    kept = complete_stock_bars(hours(9, 15), sessions, CloseInterval.HOUR, now)
    assert kept.close.tolist() == list(range(9, (last or 8) + 1))


def test_only_bars_on_the_hour_since_the_open_are_regular() -> None:
    sessions = sessions_between(DAY, DAY)
    odd = prices((at(8), 1), (at(10, 0), 2), (at(10), 3), (at(11, 31), 4), (at(16), 5))
    assert complete_stock_bars(odd, sessions, CloseInterval.HOUR, LATER).close.tolist() == [3]


def test_an_early_close_cuts_stock_and_moves_vix_bars() -> None:
    day = date(2024, 11, 29)
    sessions = sessions_between(day, day)
    stock = complete_stock_bars(hours(9, 15, day), sessions, CloseInterval.HOUR, LATER)
    assert stock.close.tolist() == [9, 10, 11, 12]
    vix = prices((at(11, 15, day), 1), (at(12, 15, day), 2))
    moved = complete_vix_bars(vix, sessions, CloseInterval.HOUR, LATER)
    assert moved.timestamps[1] == to_datetime64(at(13, 0, day))


def test_a_vix_bar_across_the_close_is_known_at_the_close() -> None:
    sessions = sessions_between(DAY, DAY)
    vix = prices((at(14, 15), 1), (at(15, 0), 2), (at(15, 15), 3))
    kept = complete_vix_bars(vix, sessions, CloseInterval.HOUR, LATER)
    expected = prices((at(14, 15), 1), (at(15, 0), 2), (at(16, 0), 3))
    assert kept.timestamps.tolist() == expected.timestamps.tolist()
    assert kept.close.tolist() == [1, 2, 3]


def test_a_moved_vix_bar_gives_way_to_one_that_begins_there() -> None:
    sessions = sessions_between(DAY, DAY)
    vix = prices((at(15, 15), 1), (at(16, 0), 2))
    kept = complete_vix_bars(vix, sessions, CloseInterval.HOUR, LATER)
    assert kept.timestamps.tolist() == [to_datetime64(at(16, 0)).astype(int)]
    assert kept.close.tolist() == [2]


@pytest.mark.parametrize("minute", [0, 15, 30, 45])
def test_no_vix_value_reaches_a_stock_bar_that_ended_before_it(minute: int) -> None:
    sessions = sessions_between(DAY, DAY)
    vix = prices(*((at(hour, minute), float(hour)) for hour in range(3, 17)))
    kept = complete_vix_bars(vix, sessions, CloseInterval.HOUR, LATER)
    for hour in range(9, 16):
        ends = min(at(hour) + timedelta(hours=1), at(16, 0))
        seen = kept.close[kept.timestamps <= to_datetime64(at(hour))]
        assert at(int(seen[-1]), minute) + timedelta(hours=1) <= ends


def test_usable_prices_are_sorted_unique_finite_and_positive() -> None:
    raw = prices(
        (at(11), 3), (at(9), 1), (at(10), np.nan), (at(12), 0), (at(13), -1), (at(14), np.inf),
        (at(9), 2),
    )  # fmt: skip
    kept = usable(raw)
    assert kept.timestamps.tolist() == prices((at(9), 0), (at(11), 0)).timestamps.tolist()
    assert kept.close.tolist() == [2, 3]


masks = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*(st.lists(st.booleans(), min_size=n, max_size=n) for _ in range(3)))
)


@settings(max_examples=150, deadline=None)
@given(masks)
def test_everything_missing_is_fetched_with_a_stored_session_beside_it(
    lists: tuple[list[bool], list[bool], list[bool]],
) -> None:
    wanted, stored, available = (np.array(mask) for mask in lists)
    chosen = sessions_to_fetch(wanted, stored, available)
    assert not (chosen & ~available).any()
    assert (chosen >= (wanted & ~stored & available)).all()
    if (wanted & available).any():
        assert chosen.any()
    known = stored & available
    missing = np.flatnonzero(wanted & ~stored)
    if len(missing) and known[: missing[0]].any():
        assert (chosen & known)[: missing[0]].any()
    elif len(missing) and known.any():
        assert (chosen & known).any()
    ranges = windows(chosen)
    covered = np.zeros(len(chosen), bool)
    for first, last in ranges:
        assert chosen[first]
        assert chosen[last]
        covered[first : last + 1] = True
    assert (covered >= chosen).all()
    assert all(b[0] - a[1] > JOINED_WITHIN for a, b in pairwise(ranges))


def test_a_far_away_stored_session_is_a_request_of_its_own() -> None:
    wanted, stored = np.zeros(30, bool), np.zeros(30, bool)
    wanted[25:], stored[:3] = True, True
    chosen = sessions_to_fetch(wanted, stored, np.ones(30, bool))
    assert windows(chosen) == [(2, 2), (25, 29)]


series = st.dictionaries(st.integers(0, 30), st.floats(1, 1_000), max_size=20)


def from_hours(bars: dict[int, float]) -> ClosePrices:
    stamps = np.array([np.datetime64("2024-01-01", "ns") + np.timedelta64(h, "h") for h in bars])
    closes = ClosePrices(stamps.astype("datetime64[ns]"), np.array(list(bars.values()), float))
    return usable(closes)


@settings(max_examples=100, deadline=None)
@given(series, series)
def test_merging_is_a_union_in_which_the_source_wins(
    old: dict[int, float], new: dict[int, float]
) -> None:
    result = merged(from_hours(old), from_hours(new))
    expected = from_hours({**old, **new})
    assert result.prices.timestamps.tolist() == expected.timestamps.tolist()
    assert result.prices.close.tolist() == expected.close.tolist()
    assert result.new == len(new.keys() - old.keys())
    both = new.keys() & old.keys()
    assert result.restated == sum(abs(new[h] / old[h] - 1) > 1e-6 for h in both)
    again = merged(result.prices, from_hours(new))
    assert (again.new, again.restated) == (0, 0)


def test_rounding_to_single_precision_is_no_restatement() -> None:
    stored, fetched = from_hours({0: 189.83}), from_hours({0: float(np.float32(189.83))})
    assert stored.close[0] != fetched.close[0]
    assert merged(stored, fetched).restated == 0


@pytest.mark.parametrize(
    ("old", "new", "factor"),
    [
        ([100, 102, 104], [25, 25.5, 26], 0.25),
        ([189.83, 190.11], [18.98, 19.01], pytest.approx(0.1, rel=1e-3)),  # rounded to cents
        ([100, 102, 104], [100, 51, 104], 1.0),  # a corrected bar
        ([100, 102], [100, 102], 1.0),
        ([100], [50], 1.0),  # a split or a correction: one bar cannot tell
        ([], [], 1.0),
    ],
)
def test_only_a_factor_common_to_all_bars_adjusts_the_others(
    old: list[float], new: list[float], factor: float
) -> None:
    ratios = price_ratios(from_hours(dict(enumerate(old))), from_hours(dict(enumerate(new))))
    assert common_factor(ratios) == factor


def test_a_column_has_gaps_where_a_series_has_none() -> None:
    union = from_hours({0: 1, 1: 1, 2: 1}).timestamps
    column = aligned(from_hours({1: 5.0}), union)
    assert np.isnan(column).tolist() == [True, False, True]
    assert column[1] == 5.0


def test_an_ingestion_error_survives_pickling() -> None:
    error = IngestionError("yahoo", "^VIX: gone", transient=True)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (
        str(again)
        == str(error)
        == ("nothing was ingested from yahoo: ^VIX: gone; run again later.")
    )
    assert again.transient
