"""Gaps: every session's expected bars, those there, and why the others are not."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.intervals import Interval
from trading.bars.quality.gaps import (
    GapReason,
    SessionGap,
    expected_starts,
    failed_gaps,
    grid,
    reason_of,
    session_gaps,
    stretches,
)
from trading.instruments.calendar import sessions

LATER = np.datetime64("2030-01-01", "ns")
DAY = sessions(date(2024, 1, 2), date(2024, 1, 2))


def missing(*positions: int, count: int = 390) -> npt.NDArray[np.bool_]:
    there = np.ones(count, np.bool_)
    there[list(positions)] = False
    return there


def gaps_of(there: npt.NDArray[np.bool_]) -> tuple[SessionGap, ...]:
    return session_gaps(grid(DAY, Interval.MINUTE)[there], DAY, Interval.MINUTE, LATER)


@pytest.mark.parametrize(
    ("day", "minutes", "hours"),
    [(date(2024, 1, 2), 390, 7), (date(2015, 12, 24), 210, 4), (date(2023, 11, 24), 210, 4)],
)
def test_a_session_expects_its_minutes_and_hours_from_the_open_to_the_close(
    day: date, minutes: int, hours: int
) -> None:
    one = sessions(day, day)
    assert len(expected_starts(one.opens[0], one.closes[0], Interval.MINUTE)) == minutes
    starts = expected_starts(one.opens[0], one.closes[0], Interval.HOUR)
    assert (len(starts), starts[0]) == (hours, one.opens[0])


@pytest.mark.parametrize("day", [date(2022, 6, 20), date(2025, 1, 9), date(2024, 1, 6)])
def test_a_day_on_which_the_exchange_is_closed_expects_nothing(day: date) -> None:
    assert not len(grid(sessions(day, day), Interval.MINUTE))
    assert (
        session_gaps(np.empty(0, "datetime64[ns]"), sessions(day, day), Interval.DAY, LATER) == ()
    )


def test_a_whole_session_has_no_gap() -> None:
    assert gaps_of(missing()) == ()


def test_a_gap_names_its_stretches_by_their_first_and_last_start() -> None:
    (gap,) = gaps_of(missing(0, 5, 6))
    assert (gap.session, gap.expected, gap.present) == (date(2024, 1, 2), 390, 387)
    assert gap.missing == (
        ("2024-01-02T14:30Z", "2024-01-02T14:30Z"),
        ("2024-01-02T14:35Z", "2024-01-02T14:36Z"),
    )


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (missing(*range(390)), GapReason.NOT_SERVED),
        (missing(7, 100, 388), GapReason.NO_TRADE),
        (missing(0, 1, 2, 3), GapReason.NO_TRADE),
        (missing(*range(200, 205)), GapReason.HALTED),
        (missing(*range(200, 260), 5), GapReason.HALTED),
        (missing(*range(385, 390)), GapReason.NOT_SERVED),
        (missing(*range(30)), GapReason.NOT_SERVED),
        (missing(*range(100, 200), *range(380, 390)), GapReason.NOT_SERVED),
    ],
)
def test_the_worst_stretch_tells_the_reason(
    there: npt.NDArray[np.bool_], reason: GapReason
) -> None:
    assert reason_of(there, Interval.MINUTE) is reason
    (gap,) = gaps_of(there)
    assert gap.reason is reason
    assert gap.is_open == (reason is GapReason.NOT_SERVED)


def test_long_stretches_of_a_stock_that_hardly_trades_are_no_trade() -> None:
    there = np.zeros(390, np.bool_)
    there[::8] = True  # a stretch of five to seven is what one trade in eight minutes leaves
    assert reason_of(there, Interval.MINUTE) is GapReason.NO_TRADE


def test_a_missing_hour_is_more_than_no_trade() -> None:
    assert reason_of(missing(3, count=7), Interval.HOUR) is GapReason.HALTED
    assert reason_of(missing(6, count=7), Interval.HOUR) is GapReason.NOT_SERVED


def test_a_session_that_is_not_over_is_open_whatever_is_there() -> None:
    stamps = grid(DAY, Interval.MINUTE)[:100]
    now = DAY.opens[0] + np.timedelta64(100, "m")
    (gap,) = session_gaps(stamps, DAY, Interval.MINUTE, now)
    assert (gap.reason, gap.is_open, gap.present) == (GapReason.NOT_OVER, True, 100)


def test_a_missing_day_is_not_served() -> None:
    within = sessions(date(2024, 1, 2), date(2024, 1, 5))
    (gap,) = session_gaps(grid(within, Interval.DAY)[[0, 1, 3]], within, Interval.DAY, LATER)
    assert (gap.session, gap.expected, gap.present) == (date(2024, 1, 4), 1, 0)
    assert gap.reason is GapReason.NOT_SERVED


def test_a_failure_is_the_reason_but_of_sessions_that_are_not_over() -> None:
    within = sessions(date(2024, 1, 2), date(2024, 1, 3))
    nothing = np.empty(0, "datetime64[ns]")
    both = session_gaps(nothing, within, Interval.MINUTE, within.closes[0])
    reasons = [gap.reason for gap in failed_gaps(both, GapReason.FAILED)]
    assert reasons == [GapReason.FAILED, GapReason.NOT_OVER]


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=40))
def test_stretches_are_the_runs_of_true_values(flags: list[bool]) -> None:
    where = np.array(flags, np.bool_)
    again = np.zeros(len(flags), np.bool_)
    runs = list(stretches(where))
    for first, last in runs:
        again[first : last + 1] = True
    assert (again == where).all()
    assert all(b[0] > a[1] + 1 for a, b in pairwise(runs))
