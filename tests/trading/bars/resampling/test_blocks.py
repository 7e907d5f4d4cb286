from __future__ import annotations

from datetime import date, timedelta
from functools import cache

import exchange_calendars
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.bars.resampling.minutes import assert_same_bits, random_bars, random_minutes
from trading.bars.intervals import SESSION_INTERVALS, Interval
from trading.bars.model import Bars, joined
from trading.bars.resampling.blocks import block_sessions, resample_sessions, session_numbers
from trading.bars.resampling.minutes import session_bars
from trading.errors import DataError
from trading.instruments.calendar import Sessions, sessions

intervals = st.sampled_from(SESSION_INTERVALS)


@cache
def numbers() -> dict[date, int]:
    """Every session of 1990 to 2026 with its number, counted one by one."""
    calendar = exchange_calendars.get_calendar("XNYS", start="1990-01-01", end="2026-12-31")
    days = [stamp.date() for stamp in calendar.sessions]
    anchor = days.index(date(2000, 1, 3))
    return {day: at - anchor for at, day in enumerate(days)}


@cache
def every_session() -> Sessions:
    return sessions(date(1990, 1, 1), date(2026, 12, 31))


def between(first: date, last: date) -> Sessions:
    """As `sessions`, from one calendar."""
    every = every_session()
    inside = (every.dates >= np.datetime64(first)) & (every.dates <= np.datetime64(last))
    return Sessions(every.dates[inside], every.opens[inside], every.closes[inside])


def daily(seed: int, first: date, last: date) -> Bars:
    return random_bars(seed, sessions(first, last).opens)


def test_numbers_count_sessions_from_the_first_of_2000() -> None:
    counted = numbers()
    dates = np.array(list(counted), "datetime64[D]")
    assert session_numbers(dates).tolist() == list(counted.values())
    some = np.array(["1999-12-31", "2000-01-03", "2000-01-04", "2000-01-18"], "datetime64[D]")
    # Martin Luther King's day, the 17th, has none.
    assert session_numbers(some).tolist() == [-1, 0, 1, 10]
    assert len(session_numbers(some[:0])) == 0
    with pytest.raises(ValueError, match="2000-01-17 is no session"):
        session_numbers(np.array(["2000-01-17"], "datetime64[D]"))


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    first=st.dates(date(1992, 1, 1), date(2024, 1, 1)),
    days=st.integers(0, 120),
    gaps=st.sampled_from([0.0, 0.1, 0.7]),
    interval=intervals,
)
def test_blocks_equal_a_plain_loop(
    seed: int, first: date, days: int, gaps: float, interval: Interval
) -> None:
    within = between(first, first + timedelta(days=days))
    kept = np.random.default_rng(seed).random(len(within)) >= gaps
    bars = random_bars(seed, within.opens)[kept]
    made = resample_sessions(bars, [interval])[interval]
    k, counted = interval.sessions, numbers()
    by_number = {number: day for day, number in counted.items()}
    blocks: dict[int, list[int]] = {}
    for row, day in enumerate(within.dates[kept].tolist()):
        blocks.setdefault(counted[day] // k, []).append(row)
    assert len(made) == len(blocks)
    for at, (block, rows) in enumerate(blocks.items()):
        edges = between(by_number[block * k], by_number[(block + 1) * k - 1])
        assert len(edges) == k
        assert made.bars.timestamps[at] == edges.opens[0]
        assert made.available_at[at] == edges.closes[-1]
        assert (made.expected[at], made.present[at]) == (k, len(rows))
        assert made.complete[at] == (len(rows) == k)
        assert made.bars.open[at] == bars.open[rows[0]]
        assert made.bars.high[at] == bars.high[rows].max()
        assert made.bars.low[at] == bars.low[rows].min()
        assert made.bars.close[at] == bars.close[rows[-1]]
        assert made.bars.volume[at] == pytest.approx(sum(bars.volume[rows].tolist()), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    first=st.dates(date(2009, 1, 1), date(2012, 1, 1)),
    days=st.integers(0, 60),
    interval=intervals,
)
def test_the_blocks_of_a_stretch_are_those_of_the_whole(
    seed: int, first: date, days: int, interval: Interval
) -> None:
    bars = daily(seed, date(2008, 1, 2), date(2013, 1, 2))
    bars = bars[np.random.default_rng(seed).random(len(bars)) < 0.9]
    read = block_sessions(interval, first, first + timedelta(days=days))
    if not len(read):
        return
    assert len(read) % interval.sessions == 0
    inside = (read.opens[0] <= bars.timestamps) & (bars.timestamps < read.closes[-1])
    made = resample_sessions(bars[inside], [interval])[interval]
    whole = resample_sessions(bars, [interval])[interval]
    stamps = whole.bars.timestamps
    assert_same_bits(made, whole[(read.opens[0] <= stamps) & (stamps < read.closes[-1])])


def test_a_stretch_without_sessions_has_no_blocks() -> None:
    assert len(block_sessions(Interval.DAYS_8, date(2024, 1, 6), date(2024, 1, 7))) == 0


def test_the_open_block_is_not_complete_and_not_yet_available() -> None:
    bars = daily(1, date(2024, 1, 2), date(2024, 3, 28))
    for interval, made in resample_sessions(bars).items():
        last_close = sessions(date(2024, 3, 28), date(2024, 3, 28)).closes[0]
        ended = made.available_at <= last_close
        assert ended[:-1].all()
        # The first block began before the data did.
        np.testing.assert_array_equal(made.complete[1:], ended[1:])
        assert made.present.sum() == len(bars)
        assert interval is Interval.DAY or not made.complete.all()


@pytest.mark.parametrize("hours", [0, 5])
def test_any_moment_of_the_date_in_new_york_labels_a_session(hours: int) -> None:
    within = sessions(date(2024, 1, 2), date(2024, 6, 28))
    at_open = random_bars(2, within.opens)
    moments = (within.dates + np.timedelta64(5 + hours, "h")).astype("datetime64[ns]")
    labelled = random_bars(2, moments)
    expected = resample_sessions(at_open)
    for interval, made in resample_sessions(labelled).items():
        assert_same_bits(made, expected[interval])


def test_rows_without_a_session_or_a_price_take_no_part() -> None:
    bars = daily(3, date(2024, 1, 2), date(2024, 2, 29))
    stray = random_bars(3, np.array(["2024-01-06T14:30", "2024-01-15T14:30"], "datetime64[ns]"))
    priceless = bars[:]
    priceless.close[10] = np.inf
    expected = resample_sessions(bars[np.arange(len(bars)) != 10])
    for interval, made in resample_sessions(joined([priceless, stray], "AAPL")).items():
        assert_same_bits(made, expected[interval])


def test_two_bars_of_one_session_are_refused() -> None:
    bars = daily(4, date(2024, 1, 2), date(2024, 1, 31))
    later = random_bars(4, bars.timestamps[5:6] + np.timedelta64(1, "h"))
    with pytest.raises(DataError, match="the session of 2024-01-09 has more than one"):
        resample_sessions(joined([bars, later], "AAPL"))
    with pytest.raises(ValueError, match="counts minutes, not sessions"):
        resample_sessions(bars, [Interval.MINUTE])


def test_minutes_to_days_to_blocks_count_every_share() -> None:
    within = block_sessions(Interval.DAYS_13, date(2024, 11, 18), date(2024, 12, 10))
    minutes = random_minutes(5, within, 0.8)
    days = session_bars(minutes, within)
    made = resample_sessions(days.bars, [Interval.DAYS_13])[Interval.DAYS_13]
    assert made.complete.all()
    assert made.bars.volume.sum() == pytest.approx(minutes.volume.sum(), rel=1e-9)
    assert made.bars.trades.sum() == minutes.trades.sum()
    assert made.bars.high.max() == minutes.high.max()
    dollars = np.nansum(minutes.vwap * minutes.volume)
    assert (made.bars.vwap * made.bars.volume).sum() == pytest.approx(dollars, rel=1e-9)


def test_no_days_make_no_bars() -> None:
    assert [len(made) for made in resample_sessions(Bars.empty("A")).values()] == [0] * 7
