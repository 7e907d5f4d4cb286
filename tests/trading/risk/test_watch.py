from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trading.portfolio.account import RoundTrip
from trading.risk.guards import EVERYWHERE, CoolDown, LowProfit, StopLossStreak
from trading.risk.limits import RiskLimits, TradingState
from trading.risk.watch import RiskState, Thresholds, paid_in, resumed, watched

LIMITS = Thresholds.of(RiskLimits(max_drawdown=Decimal("0.1"), max_daily_loss=Decimal("0.05")))
ACTIVE, REDUCING, HALTED = TradingState


def after(*equities: tuple[int, int], start: RiskState | None = None) -> RiskState:
    state = start or paid_in(RiskState(), 1_000)
    for equity, session in equities:
        state = watched(state, equity, session, LIMITS)
    return state


def test_a_drawdown_latches_at_its_limit_until_a_person_resumes() -> None:
    assert after((960, 0), (901, 1)).state is not HALTED
    halted = after((960, 0), (900, 1))
    assert (halted.state, halted.reason) == (HALTED, "drawdown")
    assert after((2_000, 2), start=halted).state is HALTED
    again = resumed(halted)
    assert after((890, 2), start=again).state is ACTIVE  # the drawdown counts from there
    assert after((810, 2), start=again).state is HALTED


def test_a_days_loss_reduces_until_the_next_session() -> None:
    assert after((951, 0)).state is ACTIVE
    assert after((950, 0)).state is REDUCING
    assert after((950, 0), (1_000, 0)).state is REDUCING
    assert after((950, 0), (949, 1)).state is ACTIVE
    assert after((950, 0), (949, 1), (902, 1)).state is REDUCING


def test_an_account_without_equity_is_halted_whatever_its_limits() -> None:
    state = watched(paid_in(RiskState(), 10), 0, 0, Thresholds.of(RiskLimits()))
    assert state.state is HALTED


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(-900, 10**6))
def test_what_is_paid_in_or_out_is_no_drawdown(equity: int, paid: int) -> None:
    before = after((1_000, 0), (950, 1))
    state = paid_in(before, paid)
    assert (state.peak - state.equity) * before.peak == (before.peak - before.equity) * state.peak
    assert watched(state, 950 + paid, 1, LIMITS).state is before.state
    del equity


HOUR = 3_600 * 10**9


def trip(symbol: str, hours: int, pnl: int, order: str) -> RoundTrip:
    return RoundTrip(symbol, 0, hours * HOUR, pnl, order)


TRIPS = [
    trip("A", 1, -5, "stop1"), trip("B", 2, -5, "stop2"), trip("A", 3, 4, "x"),
    trip("A", 4, -5, "stop3"),
]  # fmt: skip
STOPS = frozenset({"stop1", "stop2", "stop3"})


def test_guards_bar_entries_for_as_long_as_they_say() -> None:
    streak = StopLossStreak(3, timedelta(hours=5))
    assert streak.locks(TRIPS, STOPS, 5 * HOUR) == [EVERYWHERE]
    assert streak.locks(TRIPS, STOPS, 6 * HOUR) == []
    assert streak.locks(TRIPS, STOPS - {"stop2"}, 5 * HOUR) == []
    cool_down = CoolDown(timedelta(hours=3))
    assert set(cool_down.locks(TRIPS, STOPS, 4 * HOUR)) == {"A", "B"}
    assert cool_down.locks(TRIPS, STOPS, 5 * HOUR) == ["A"]
    low = LowProfit(3, timedelta(hours=10), 0)
    assert low.locks(TRIPS, STOPS, 5 * HOUR) == ["A"]
    assert LowProfit(3, timedelta(hours=10), -7).locks(TRIPS, STOPS, 5 * HOUR) == []
