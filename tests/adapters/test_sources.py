"""What every source shares: the protocol's types, and the pacing of requests."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.market_data.protocol import CloseInterval, ClosePrices, SourceError
from adapters.market_data.synthetic import SyntheticSource
from tests.adapters.pacers import paced
from trading.instruments.clock import NEW_YORK


def test_the_first_request_does_not_wait() -> None:
    pacer, time = paced(4)
    pacer.wait()
    assert time.slept == []


def test_requests_are_spaced_evenly() -> None:
    pacer, time = paced(4)
    turns = []
    for _ in range(5):
        pacer.wait()
        turns.append(time.now)
    assert np.diff(turns).tolist() == pytest.approx([0.25] * 4)


def test_an_idle_time_is_not_made_up_for() -> None:
    pacer, time = paced(4)
    pacer.wait()
    time.now += 60
    turns = []
    for _ in range(3):
        pacer.wait()
        turns.append(time.now)
    assert np.diff(turns).tolist() == pytest.approx([0.25] * 2)


def test_a_pause_holds_everybody_back() -> None:
    pacer, time = paced(4)
    pacer.wait()
    paused_at = time.now
    pacer.pause(7)
    pacer.wait()
    assert time.now - paused_at == pytest.approx(7)
    pacer.wait()
    assert time.now - paused_at == pytest.approx(7.25)


def test_a_shorter_pause_does_not_shorten_a_longer_one() -> None:
    pacer, time = paced(4)
    paused_at = time.now
    pacer.pause(7)
    pacer.pause(1)
    pacer.wait()
    assert time.now - paused_at == pytest.approx(7)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 5)), min_size=1, max_size=30))
def test_no_two_turns_are_closer_than_the_rate(steps: list[float | None]) -> None:
    pacer, time = paced(10)
    turns = []
    for pause in steps:
        if pause is not None:
            pacer.pause(pause)
        pacer.wait()
        turns.append(time.now)
    assert (np.diff(turns) >= 0.1 - 1e-9).all()


def test_threads_take_turns_of_their_own() -> None:
    pacer, time = paced(10)
    started = time.now
    with ThreadPoolExecutor(8) as pool:
        for turn in [pool.submit(pacer.wait) for _ in range(40)]:
            turn.result()
    assert time.now - started >= 39 * 0.1 - 1e-9


def test_a_source_error_survives_pickling() -> None:
    error = SourceError("AAPL", "limited", transient=True, retry_after=7.0)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert str(again) == "AAPL: limited"
    assert (again.symbol, again.reason) == ("AAPL", "limited")
    assert (again.transient, again.retry_after) == (True, 7.0)


def test_prices_are_taken_by_rows_or_by_mask() -> None:
    stamps = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[ns]")
    prices = ClosePrices(stamps, np.array([1.0, 2.0, 3.0]))
    assert prices[1:].close.tolist() == [2.0, 3.0]
    assert prices[prices.close > 2].timestamps.tolist() == stamps[2:].tolist()
    assert len(prices) == 3
    assert len(ClosePrices.empty()) == 0


def test_intervals_are_written_as_users_write_them() -> None:
    assert [interval.value for interval in CloseInterval] == ["1h", "1d"]


def test_the_synthetic_market_is_the_same_piece_by_piece() -> None:
    source = SyntheticSource()
    start, middle, end = (datetime(2024, 1, day, tzinfo=NEW_YORK) for day in (3, 9, 13))
    for symbol in ("AAPL", "^VIX", "^GSPC"):
        whole = source.close_prices(symbol, start, end, CloseInterval.HOUR)
        assert len(whole) == 8 * 7
        assert whole.timestamps[0] == np.datetime64("2024-01-03T14:30")
        parts = [
            source.close_prices(symbol, *bounds, CloseInterval.HOUR)
            for bounds in ((start, middle), (middle, end))
        ]
        assert np.concatenate([p.timestamps for p in parts]).tolist() == whole.timestamps.tolist()
        assert np.concatenate([p.close for p in parts]).tolist() == whole.close.tolist()


def test_synthetic_daily_closes_are_the_last_hourly_ones() -> None:
    source = SyntheticSource(seed=3)
    start, end = datetime(2024, 7, 2, tzinfo=NEW_YORK), datetime(2024, 7, 6, tzinfo=NEW_YORK)
    hours = source.close_prices("MSFT", start, end, CloseInterval.HOUR)
    days = source.close_prices("MSFT", start, end, CloseInterval.DAY)
    assert len(hours) == 7 + 4 + 7  # the 3rd closes at 13:00, the 4th is a holiday
    assert days.close.tolist() == hours.close[[6, 10, 17]].tolist()
    assert days.timestamps[0] == np.datetime64("2024-07-02T04:00")


def test_there_is_no_synthetic_bar_before_the_first_session() -> None:
    source = SyntheticSource(first=date(2024, 1, 4))
    start, end = datetime(2024, 1, 2, tzinfo=NEW_YORK), datetime(2024, 1, 5, tzinfo=NEW_YORK)
    assert len(source.close_prices("AAPL", start, end, CloseInterval.HOUR)) == 7
    before = source.close_prices(
        "AAPL", start, datetime(2024, 1, 3, tzinfo=NEW_YORK), CloseInterval.DAY
    )
    assert len(before) == 0
