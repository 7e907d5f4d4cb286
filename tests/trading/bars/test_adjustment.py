from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.random_bars import random_bars
from tests.trading.strategies import sample_stocks
from trading.bars.adjustment import actions_in_force, adjusted
from trading.bars.intervals import Interval
from trading.bars.model import PRICES, Bars
from trading.bars.resampling.blocks import resample_sessions
from trading.bars.resampling.minutes import resample_minutes
from trading.errors import DataError
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.calendar import sessions
from trading.instruments.clock import to_datetime

EX_DATE = date(2024, 10, 15)
LAST = date(2024, 12, 31)


def split(ratio: float, ex_date: date = EX_DATE, **values: Any) -> CorporateAction:
    return CorporateAction(
        symbol="AAPL", kind=ActionKind.SPLIT, ex_date=ex_date, value=ratio, **values
    )


def dividend(cash: float, ex_date: date = EX_DATE, **values: Any) -> CorporateAction:
    return CorporateAction(
        symbol="AAPL", kind=ActionKind.DIVIDEND, ex_date=ex_date, value=cash, **values
    )


def dates(bars: Bars) -> list[date]:
    return [to_datetime(stamp).date() for stamp in bars.timestamps]


def by_loop(bars: Bars, actions: list[CorporateAction]) -> tuple[list[float], list[float]]:
    """What each bar's prices and volumes are multiplied by, action by action."""
    price, volume, days = [1.0] * len(bars), [1.0] * len(bars), dates(bars)
    for action in actions:
        before = [row for row, day in enumerate(days) if day < action.ex_date]
        closes = [close for close in bars.close[before].tolist() if np.isfinite(close)]
        for row in before:
            if action.kind is ActionKind.SPLIT:
                price[row] /= action.value
                volume[row] *= action.value
            elif closes:
                same = [
                    a.value
                    for a in actions
                    if a.ex_date == action.ex_date and a.kind is ActionKind.SPLIT
                ]
                last = closes[-1] / (same[0] if same else 1.0)
                price[row] *= 1 - action.value / last
    return price, volume


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(0, 2_000),
    splits=st.dictionaries(
        st.dates(date(2024, 9, 20), LAST), st.sampled_from([0.1, 2.0, 3.0]), max_size=3
    ),
    dividends=st.dictionaries(st.dates(date(2024, 9, 20), LAST), st.floats(0.01, 1), max_size=3),
)
def test_adjustment_equals_a_plain_loop(
    seed: int, count: int, splits: dict[date, float], dividends: dict[date, float]
) -> None:
    bars = random_bars(seed, count, gaps=0.05)
    actions = [split(ratio, day) for day, ratio in splits.items()]
    actions += [dividend(cash, day) for day, cash in dividends.items()]
    found = adjusted(bars, actions_in_force(actions, "AAPL", LAST))
    price, volume = by_loop(bars, actions)
    for name in (*PRICES, "vwap"):
        expected = getattr(bars, name) * np.array(price)
        np.testing.assert_allclose(getattr(found, name), expected, rtol=1e-9)
    np.testing.assert_allclose(found.volume, bars.volume * np.array(volume), rtol=1e-9)
    np.testing.assert_array_equal(found.trades, bars.trades)
    np.testing.assert_array_equal(found.timestamps, bars.timestamps)


def test_a_split_leaves_the_value_and_what_comes_after_it() -> None:
    bars = random_bars(1, 2_000)
    found = adjusted(bars, [split(4.0)])
    after = np.array(dates(bars)) >= EX_DATE
    assert after.any()
    assert not after.all()
    for name in ("open", "high", "low", "close", "volume", "vwap"):
        kept, raw = getattr(found, name), getattr(bars, name)
        assert kept[after].tobytes() == raw[after].tobytes()
        np.testing.assert_array_equal(kept[~after], raw[~after] * (4 if name == "volume" else 0.25))
    np.testing.assert_allclose(found.close * found.volume, bars.close * bars.volume)


def test_a_later_split_changes_no_earlier_partition() -> None:
    bars = random_bars(2, 800)
    known = [split(2.0, date(2024, 10, 3))]
    later = [*known, split(10.0, date(2024, 11, 4)), dividend(0.5, date(2024, 10, 31))]
    partition_end = date(2024, 10, 30)
    before, now = (
        adjusted(bars, actions_in_force(actions, "AAPL", partition_end))
        for actions in (known, later)
    )
    assert before.close.tobytes() == now.close.tobytes()
    assert before.volume.tobytes() == now.volume.tobytes()
    on_the_day = actions_in_force(later, "AAPL", date(2024, 10, 31))
    assert [action.value for action in on_the_day] == [2.0, 0.5]


def test_only_what_was_known_by_then_counts() -> None:
    moments = [datetime(2024, 10, day, tzinfo=UTC) for day in (1, 20)]
    early, late = (split(ratio, known_at=at) for ratio, at in zip((2.0, 4.0), moments, strict=True))
    silent = dividend(1.0)
    every = [late, silent, early]
    assert actions_in_force(every, "AAPL", LAST) == (late, silent)
    assert actions_in_force(every, "AAPL", LAST, known_by=moments[1]) == (late, silent)
    assert actions_in_force(every, "AAPL", LAST, known_by=moments[0]) == (early, silent)
    assert actions_in_force(every, "MSFT", LAST) == ()


def test_the_same_action_from_two_sources_counts_once_and_a_contradiction_is_refused() -> None:
    assert actions_in_force([split(2.0), split(2.0)], "AAPL", LAST) == (split(2.0),)
    with pytest.raises(
        DataError, match=r"split of 2024-10-15: it has the values 2.0 and 3.0, none"
    ):
        actions_in_force([split(2.0), split(3.0)], "AAPL", LAST)


def test_a_halved_price_without_an_action_stays_halved() -> None:
    bars = random_bars(3, 200)
    bars.close[100:] /= 2
    assert adjusted(bars, ()).close.tobytes() == bars.close.tobytes()


def test_a_dividend_that_cannot_be_is_refused() -> None:
    bars = random_bars(4, 2_000)
    with pytest.raises(DataError, match=r"AAPL: dividend of 2024-10-15: it is 500, not below"):
        adjusted(bars, [dividend(500)])
    with pytest.raises(DataError, match="it is in CAD, prices are in USD"):
        adjusted(bars, [dividend(1.0, currency="CAD")])
    with pytest.raises(ValueError, match="other symbols than AAPL"):
        adjusted(
            bars, [CorporateAction(symbol="A", kind=ActionKind.SPLIT, ex_date=EX_DATE, value=2)]
        )
    first = date(2024, 10, 1)
    assert adjusted(bars, [dividend(500, first)]).close.tobytes() == bars.close.tobytes()


def test_real_splits_leave_no_jump_and_the_real_fall_stays() -> None:
    bars = sample_stocks.daily("AAPL")
    actions = [split(2.0, date(2000, 6, 21)), split(2.0, date(2005, 2, 28))]
    raw = np.diff(np.log(bars.close))
    found = np.diff(np.log(adjusted(bars, actions).close))
    assert (np.abs(raw) > np.log(1.7)).sum() == 3
    at = np.flatnonzero(np.abs(found) > np.log(1.7))
    assert [dates(bars)[row + 1] for row in at] == [date(2000, 9, 29)]
    np.testing.assert_array_equal(np.delete(found, at)[-1_000:], np.delete(raw, at)[-1_000:])


def test_adjusting_before_or_after_resampling_within_sessions_is_the_same() -> None:
    bars = random_bars(5, 3_000)
    minute = resample_minutes(bars, sessions(date(2024, 10, 1), LAST), [Interval.MINUTES_21])
    twenty_one = minute[Interval.MINUTES_21].bars
    first = resample_minutes(
        adjusted(bars, [split(2.0)]), sessions(date(2024, 10, 1), LAST), [Interval.MINUTES_21]
    )[Interval.MINUTES_21].bars
    after = adjusted(twenty_one, [split(2.0)])
    for name in (*PRICES, "volume"):
        assert getattr(first, name).tobytes() == getattr(after, name).tobytes()


def test_days_are_adjusted_before_they_are_joined() -> None:
    bars = sample_stocks.daily("AAPL")
    action = split(2.0, date(2005, 2, 28))
    ranges = []
    for daily in (bars, adjusted(bars, [action])):
        made = resample_sessions(daily, [Interval.DAYS_34])[Interval.DAYS_34].bars
        spanning = np.searchsorted(made.timestamps, np.datetime64("2005-02-28")) - 1
        ranges.append(made.high[spanning] / made.low[spanning])
    assert ranges[0] > 2
    assert ranges[1] < 1.3
