"""Rules over what was seen: what each kind tells, and that it is told once."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.alerts.given import MINUTE, OPEN, SECOND, Watch, bar, signal
from trading.alerts.machine import AlertState
from trading.alerts.observations import Clock, Finding, Survey
from trading.alerts.rules import alert_rule

CLOSES = st.lists(
    st.one_of(st.floats(95, 105), st.just(float("nan")), st.just(100.0)), min_size=1, max_size=40
)
ABOVE = alert_rule(
    {"name": "high", "kind": "price_above", "level": 100, "hysteresis": 0.01, "remind_seconds": 300}
)


def rule(kind: str, **fields: Any) -> Watch:
    return Watch([alert_rule({"name": "rule", "kind": kind, **fields})])


def kinds(watch: Watch) -> list[str]:
    return [change.kind for change in watch.changes]


def test_a_price_that_crosses_is_told_and_told_again_when_it_comes_back() -> None:
    watch = rule("price_above", level=100, hysteresis=0.01)
    assert watch.see(bar(0, 99.0), bar(1, 100.0)) == []
    (fired,) = watch.see(bar(2, 101.0))
    assert (fired.kind, fired.subject, fired.at) == ("firing", "AAPL", OPEN + 3 * MINUTE)
    assert fired.message == (
        "AAPL is above 100: its 1m bar of 2024-01-02 09:32 New York closed at 101."
    )
    assert watch.see(bar(3, 99.5), bar(4, 100.5)) == []  # within the hysteresis
    (ended,) = watch.see(bar(5, 99.0))
    assert ended.kind == "resolved"
    assert "is no longer above 100" in ended.message


def test_a_price_that_was_above_from_the_start_has_not_crossed() -> None:
    watch = rule("price_above", level=100)
    assert watch.see(*(bar(i, 101.0) for i in range(5))) == []
    assert [c.kind for c in watch.see(bar(5, 99.0), bar(6, 101.0))] == ["firing"]


def test_a_price_below_is_the_mirror_image() -> None:
    watch = rule("price_below", level=100, hysteresis=0.01)
    watch.see(bar(0, 101.0), bar(1, 99.0), bar(2, 100.5), bar(3, 101.0))
    assert kinds(watch) == ["firing", "resolved"]


@given(CLOSES)
def test_crossings_are_those_of_a_plain_loop(closes: list[float]) -> None:
    watch = Watch([ABOVE])
    watch.see(*(bar(i, close) for i, close in enumerate(closes)))
    expected: list[str] = []
    side = None
    for close in closes:
        if close <= (99.0 if side == "above" else 100.0):
            expected += ["resolved"] if side == "above" else []
            side = "below"
        elif close > 100.0 and side == "below":
            expected.append("firing")
            side = "above"
    assert kinds(watch) == expected


@given(CLOSES, st.data())
def test_what_comes_again_after_a_crash_changes_nothing(closes: list[float], data: Any) -> None:
    bars = [bar(i, close) for i, close in enumerate(closes)]
    once = Watch([ABOVE])
    once.see(*bars)
    again = Watch([ABOVE])
    position = 0
    while position < len(bars):
        end = data.draw(st.integers(position + 1, len(bars)))
        again.see(*bars[data.draw(st.integers(0, position)) : end])
        position = end
    assert again.changes == once.changes
    assert _timeless(again) == _timeless(once)


def _timeless(watch: Watch) -> dict[Any, AlertState]:
    """The states without when they were told, which is when somebody looked."""
    return {
        key: replace(state, told_at=None, last_told_at=None) for key, state in watch.states.items()
    }


@given(CLOSES)
def test_every_change_has_an_identity_of_its_own_and_they_alternate(closes: list[float]) -> None:
    watch = Watch([ABOVE])
    for i, close in enumerate(closes):
        clock = Clock(OPEN + (i + 1) * MINUTE, OPEN)
        watch.see(bar(i, close), bar(i, 2 * close, "MSFT"), clock)
    identities = [change.identity for change in watch.changes]
    assert len(set(identities)) == len(identities)
    for symbol in ("AAPL", "MSFT"):
        told = [c.kind for c in watch.changes if c.subject == symbol and c.kind != "reminder"]
        assert told[:1] in ([], ["firing"])
        assert all(before != after for before, after in pairwise(told))


@given(st.lists(st.integers(1, 900), max_size=30))
def test_reminders_come_once_for_each_stretch_however_often_one_looks(steps: list[int]) -> None:
    watch = Watch([ABOVE])
    watch.see(bar(0, 99.0), bar(1, 101.0))
    now = began = OPEN + 2 * MINUTE
    due = set()
    for step in steps:
        now += step * SECOND
        watch.see(Clock(now, OPEN))
        due.add((now - began) // (300 * SECOND))
    reminders = [change for change in watch.changes if change.kind == "reminder"]
    assert len(reminders) == len(due - {0})
    assert all(change.message == watch.changes[0].message for change in reminders)
    watch.see(bar(100, 90.0))
    assert watch.see(Clock(now + 10_000 * SECOND, OPEN)) == []


def test_a_correction_of_a_bar_is_not_told_again() -> None:
    watch = rule("price_above", level=100)
    watch.see(bar(0, 99.0), bar(1, 101.0))
    assert watch.see(bar(1, 99.0, revision=1)) == []
    assert watch.see(bar(2, 101.0)) == []


def test_a_change_over_a_window_ends_when_it_is_clearly_smaller() -> None:
    watch = rule("change", percent=2.0, bars=3, hysteresis=0.5)
    watch.see(*(bar(i, 100.0) for i in range(3)))
    assert watch.see(bar(3, 101.9)) == []
    (fired,) = watch.see(bar(4, 97.0))
    assert "AAPL changed by -3.00 % over 3 bars" in fired.message
    assert watch.see(bar(5, 98.5)) == []  # 1.5 % from 100: within the hysteresis
    assert [c.kind for c in watch.see(bar(6, 102.0))] == ["resolved"]


@pytest.mark.parametrize(("direction", "closes"), [("up", (100, 90)), ("down", (100, 110))])
def test_a_change_in_the_other_direction_is_none(direction: str, closes: tuple[int, int]) -> None:
    watch = rule("change", percent=2.0, bars=1, direction=direction)
    assert watch.see(*(bar(i, close) for i, close in enumerate(closes))) == []
    assert rule("change", percent=2.0, bars=1).see(*(bar(i, c) for i, c in enumerate(closes)))


def test_an_indicator_that_crosses_another_is_told_and_a_missing_one_changes_nothing() -> None:
    watch = rule("indicator_above", strategy="vegas_channel", column="fast", other="slow")
    watch.see(signal(0, "hold", fast=1.0, slow=2.0), signal(1, "hold", fast=None, slow=2.0))
    (fired,) = watch.see(signal(2, "hold", fast=3.0, slow=2.0))
    assert fired.message.startswith("AAPL: fast (3) is above slow (2); ")
    assert watch.see(signal(3, "hold", slow=2.0)) == []
    assert [c.kind for c in watch.see(signal(4, "hold", fast=1.0, slow=2.0))] == ["resolved"]


def test_an_indicator_crosses_a_level() -> None:
    watch = rule("indicator_below", strategy="vegas_channel", column="rsi", level=30, hysteresis=5)
    watch.see(*(signal(i, "hold", rsi=v) for i, v in enumerate((50.0, 29.0, 33.0, 29.0, 36.0))))
    assert kinds(watch) == ["firing", "resolved"]


def test_a_signal_is_told_when_it_is_new_also_straight_from_buy_to_sell() -> None:
    watch = rule("signal", strategy="vegas_channel", fingerprint="a1")
    watch.see(signal(0, "buy"), signal(1, "buy"), signal(2, "sell"), signal(3, "hold"))
    assert kinds(watch) == ["firing", "firing", "resolved"]
    assert "vegas_channel says sell AAPL" in watch.changes[1].message


def test_signals_of_other_parameters_are_another_subject() -> None:
    watch = rule("signal", strategy="vegas_channel")
    watch.see(signal(0, "buy"), signal(0, "sell", fingerprint="b2"), signal(1, "buy"))
    assert [(c.subject, c.kind) for c in watch.changes] == [
        ("AAPL/a1", "firing"), ("AAPL/b2", "firing"),
    ]  # fmt: skip


def test_data_are_stale_in_a_session_and_not_outside_of_it() -> None:
    watch = rule("stale", seconds=180)
    watch.see(bar(0, 100.0))
    last = OPEN + MINUTE
    assert watch.see(Clock(last + 180 * SECOND, OPEN)) == []
    (fired,) = watch.see(Clock(last + 181 * SECOND, OPEN))
    assert fired.message == "No 1m bar of AAPL has come for 181 s."
    assert watch.see(Clock(last + 240 * SECOND, OPEN)) == []
    (ended,) = watch.see(bar(4, 100.0), Clock(last + 300 * SECOND, OPEN))
    assert ended.message == "Each 1m bar of AAPL comes again."
    watch.see(Clock(last + 900 * SECOND, OPEN))
    (closed,) = watch.see(Clock(last + 960 * SECOND, None))
    assert closed.kind == "resolved"
    # The next session's first bars are waited for from its open on.
    tomorrow = OPEN + 86_400 * SECOND
    assert watch.see(Clock(tomorrow + 100 * SECOND, tomorrow)) == []
    assert [c.kind for c in watch.see(Clock(tomorrow + 181 * SECOND, tomorrow))] == ["firing"]


def test_a_symbol_of_which_no_bar_has_ever_come_is_stale_when_it_is_named() -> None:
    watch = rule("stale", seconds=180, symbols=["MSFT"])
    assert [c.subject for c in watch.see(Clock(OPEN + 200 * SECOND, OPEN))] == ["MSFT"]


def test_what_a_survey_no_longer_names_is_in_order_again() -> None:
    watch = rule("gap")
    found = Finding("AAPL 1m 2024-01-02", is_wrong=True, detail="AAPL lacks 3 bars")
    (fired,) = watch.see(Survey("gap", OPEN, (found,)))
    assert fired.message == "AAPL lacks 3 bars."
    assert watch.see(Survey("gap", OPEN + 1, (found,))) == []
    assert watch.see(Survey("failed_partition", OPEN + 2, ())) == []
    assert [c.kind for c in watch.see(Survey("gap", OPEN + 3, ()))] == ["resolved"]


def test_a_worse_risk_state_is_told_as_well() -> None:
    watch = rule("risk_state", severity="critical")
    for number, state in enumerate(("ACTIVE", "REDUCING", "REDUCING", "HALTED", "ACTIVE")):
        wrong = state != "ACTIVE"
        finding = Finding("paper", is_wrong=wrong, detail=f"paper is {state}", episode=state)
        watch.see(Survey("risk_state", OPEN + number, (finding,)))
    assert [(c.kind, c.message) for c in watch.changes] == [
        ("firing", "paper is REDUCING."), ("firing", "paper is HALTED."),
        ("resolved", "paper is ACTIVE."),
    ]  # fmt: skip


def test_a_service_may_be_silent_for_a_while() -> None:
    watch = rule("service_down", seconds=60, subjects=["executor"])
    for seconds in (59.0, 60.0, 61.0):
        silent = (
            Finding("executor", is_wrong=True, detail="executor is silent", seconds=seconds),
            Finding("windows", is_wrong=True, detail="windows is silent", seconds=seconds),
        )
        watch.see(Survey("service_down", OPEN + int(seconds), silent))
    assert [(c.subject, c.kind) for c in watch.changes] == [("executor", "firing")]


def test_symbols_and_intervals_that_a_rule_does_not_name_are_no_concern_of_it() -> None:
    watch = rule("price_above", level=100, symbols=["MSFT"])
    assert watch.see(bar(0, 99.0), bar(1, 101.0)) == []
    other = rule("price_above", level=100, interval="5m")
    assert other.see(bar(0, 99.0), bar(1, 101.0)) == []
