"""Synthetic minutes: the same whatever range is asked for, and with what a market has."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.model import VALUES, Bars
from trading.bars.synthetic import contract_names
from trading.bars.synthetic_minutes import (
    FIRST_DATE,
    synthetic_days,
    synthetic_minutes,
    synthetic_splits,
)
from trading.errors import ParameterError
from trading.instruments.calendar import sessions

EARLY_CLOSE = date(2024, 7, 3)
SPLIT_SYMBOL, SPLIT_DAY = "MSFT", date(2022, 10, 10)


def assert_same(one: Bars, other: Bars) -> None:
    np.testing.assert_array_equal(one.timestamps, other.timestamps)
    for name in VALUES:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_session_has_all_its_minutes_and_an_early_close_fewer() -> None:
    for day, count in ((date(2024, 7, 2), 390), (EARLY_CLOSE, 210)):
        bars = synthetic_minutes("AAPL", day, day, extended_hours=False)
        within = sessions(day, day)
        expected = within.opens[0] + np.arange(count) * np.timedelta64(60, "s")
        np.testing.assert_array_equal(bars.timestamps, expected)
        assert expected[-1] + np.timedelta64(60, "s") == within.closes[0]
    assert len(synthetic_minutes("AAPL", date(2024, 7, 4), date(2024, 7, 4))) == 0


def test_twenty_symbols_of_sixty_sessions_have_468_000_regular_minutes() -> None:
    within = sessions(date(2024, 1, 2), date(2024, 3, 27))
    assert len(within) == 60
    bars = synthetic_minutes("AAPL", date(2024, 1, 2), date(2024, 3, 27), extended_hours=False)
    assert 20 * len(bars) == 468_000


def test_minutes_outside_of_the_session_are_few_and_beside_it() -> None:
    regular = synthetic_minutes("AAPL", EARLY_CLOSE, EARLY_CLOSE, extended_hours=False)
    every = synthetic_minutes("AAPL", EARLY_CLOSE, EARLY_CLOSE)
    within = sessions(EARLY_CLOSE, EARLY_CLOSE)
    inside = (every.timestamps >= within.opens[0]) & (every.timestamps < within.closes[0])
    assert_same(every[inside], regular)
    before, after = (
        every[every.timestamps < within.opens[0]],
        every[every.timestamps >= within.closes[0]],
    )
    assert 20 < len(before) < 100
    assert 15 < len(after) < 80
    assert before.timestamps[0] >= np.datetime64("2024-07-03T08:00")
    assert after.timestamps[-1] < np.datetime64("2024-07-03T21:00")
    assert before.volume.sum() + after.volume.sum() < 0.1 * regular.volume.sum()


def test_bars_are_what_bars_should_be() -> None:
    bars = synthetic_minutes("AAPL", date(2024, 6, 3), date(2024, 7, 31))
    assert (np.diff(bars.timestamps) > np.timedelta64(0, "s")).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert ((bars.low <= bars.vwap) & (bars.vwap <= bars.high)).all()
    assert (bars.low > 0).all()
    assert (bars.volume >= 1).all()
    assert (bars.trades >= 1).all()
    np.testing.assert_array_equal(bars.close, np.round(bars.close, 2))


def test_volume_is_high_after_the_open_and_before_the_close() -> None:
    bars = synthetic_minutes("AAPL", date(2024, 7, 8), date(2024, 7, 19), extended_hours=False)
    mean = bars.volume.reshape(10, 390).mean(axis=0)
    assert mean[:30].mean() > 1.5 * mean[150:240].mean()
    assert mean[-30:].mean() > 1.2 * mean[150:240].mean()


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from(["AAPL", "MSFT", "SYN0012"]),
    st.integers(0, 40),
    st.integers(0, 10),
    st.integers(0, 60),
)
def test_the_range_changes_no_value(symbol: str, offset: int, length: int, margin: int) -> None:
    first = date(2023, 12, 1) + timedelta(days=offset)
    last = first + timedelta(days=length)
    part = synthetic_minutes(symbol, first, last)
    whole = synthetic_minutes(symbol, first - timedelta(days=margin), last + timedelta(days=margin))
    if not len(part):
        return
    inside = (whole.timestamps >= part.timestamps[0]) & (whole.timestamps <= part.timestamps[-1])
    assert_same(whole[inside], part)


def test_a_later_year_changes_no_earlier_one() -> None:
    day = date(2023, 3, 7)
    alone = synthetic_minutes("MSFT", day, day)
    synthetic_minutes("MSFT", date(2031, 3, 7), date(2031, 3, 7))
    long = synthetic_minutes("MSFT", day, date(2025, 1, 3))
    assert_same(long[: len(alone)], alone)
    early = synthetic_splits("MSFT", FIRST_DATE, date(2022, 12, 31))
    assert synthetic_splits("MSFT", FIRST_DATE, date(2031, 1, 1))[: len(early)] == early
    assert early


def test_symbols_and_seeds_differ() -> None:
    day = date(2024, 7, 2)
    closes = {
        tuple(synthetic_days(symbol, day, day, seed=seed).close.tolist())
        for symbol in ("AAPL", "MSFT")
        for seed in (0, 1)
    }
    assert len(closes) == 4


def test_each_day_has_noise_of_its_own() -> None:
    bars = synthetic_minutes("AAPL", date(2024, 7, 8), date(2024, 7, 9), extended_hours=False)
    changes = np.diff(np.log(bars.close.reshape(2, 390)))
    assert abs(np.corrcoef(changes)[0, 1]) < 0.3


def test_days_are_made_of_the_regular_minutes() -> None:
    first, last = date(2024, 6, 28), date(2024, 7, 8)
    days = synthetic_days("AAPL", first, last)
    within = sessions(first, last)
    assert len(days) == len(within)
    for i, day in enumerate(within.dates.tolist()):
        minutes = synthetic_minutes("AAPL", day, day, extended_hours=False)
        assert days.open[i] == minutes.open[0]
        assert days.close[i] == minutes.close[-1]
        assert days.high[i] == max(minutes.high.tolist())
        assert days.low[i] == min(minutes.low.tolist())
        assert days.volume[i] == sum(minutes.volume.tolist())
        assert days.trades[i] == sum(minutes.trades.tolist())
        assert days.low[i] <= days.vwap[i] <= days.high[i]
    assert days.timestamps[0] == np.datetime64("2024-06-28T04:00")
    assert len(synthetic_days("AAPL", date(2024, 7, 4), date(2024, 7, 4))) == 0


def test_a_split_divides_the_price_from_its_day_on() -> None:
    (split,) = synthetic_splits(SPLIT_SYMBOL, SPLIT_DAY, SPLIT_DAY)
    assert split.value == 5.0
    days = synthetic_days(SPLIT_SYMBOL, SPLIT_DAY - timedelta(days=3), SPLIT_DAY)
    assert days.close[-2] / days.open[-1] == pytest.approx(split.value, rel=0.1)
    minutes = synthetic_minutes(SPLIT_SYMBOL, SPLIT_DAY, SPLIT_DAY)
    assert minutes.open.max() / minutes.open.min() < 1.5  # the pre-market is split as well


def test_splits_keep_prices_in_a_range_that_shares_have() -> None:
    for symbol in contract_names(30):
        closes = synthetic_days(symbol, date(2024, 12, 2), date(2024, 12, 4)).close
        assert (closes > 1).all()
        assert (closes < 3_000).all()
    assert any(synthetic_splits(s, FIRST_DATE, date(2025, 1, 1)) for s in contract_names(15)[5:])


def test_there_is_nothing_before_the_first_day() -> None:
    assert len(synthetic_minutes("AAPL", date(1999, 1, 4), date(1999, 12, 31))) == 0
    first = synthetic_days("AAPL", date(1999, 1, 4), FIRST_DATE)
    assert first.timestamps.tolist() == np.array(["2000-01-03T05:00"], "datetime64[ns]").tolist()


def test_what_cannot_be_generated_is_refused() -> None:
    day = date(2024, 7, 2)
    with pytest.raises(ParameterError, match="contract="):
        synthetic_minutes("a/b", day, day)
    with pytest.raises(ParameterError, match="seed=-1"):
        synthetic_minutes("AAPL", day, day, seed=-1)
    with pytest.raises(ParameterError, match="end="):
        synthetic_minutes("AAPL", day, date(2100, 1, 4))
