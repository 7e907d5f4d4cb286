"""Rules as people write them, and hours in which nobody wants to be woken."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.alerts.delivery import not_before, pause_after, quiet_hours
from trading.alerts.rules import KINDS, alert_rule
from trading.errors import ParameterError

STRATEGY = {"strategy": "vegas_channel"}
NEEDED: dict[str, dict[str, Any]] = {
    "price_above": {"level": 200}, "price_below": {"level": 200}, "change": {"percent": 2},
    "indicator_above": {**STRATEGY, "column": "rsi_14", "level": 70},
    "indicator_below": {**STRATEGY, "column": "ema_12", "other": "ema_144"}, "signal": STRATEGY,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_rule_of_every_kind_is_read_and_written(kind: str) -> None:
    read = alert_rule({"name": "mine", "kind": kind, **NEEDED.get(kind, {})})
    assert read.kind == kind
    assert alert_rule(read.model_dump(mode="json")) == read


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ({"name": "a", "kind": "price_over", "level": 1}, "kind='price_over' is not a kind of"),
        ({"name": "a"}, "kind=None is not a kind of"),
        ({"name": "a", "kind": "price_above"}, "level='missing' is not usable in the rule 'a'"),
        ({"name": "A b", "kind": "gap"}, "name='A b' is not usable"),
        ({"name": "a", "kind": "price_above", "level": -1}, "level=-1 is not usable"),
        ({"name": "a", "kind": "gap", "levle": 1}, "levle=1 is not usable"),
        (
            {"name": "a", "kind": "price_above", "level": 1, "symbols": ["../x"]},
            "symbols.0='../x' is not usable",
        ),
        (
            {"name": "a", "kind": "indicator_above", "strategy": "x", "column": "y"},
            "name one of other and level",
        ),
        ({"name": "a", "kind": "stale", "interval": "5m"}, "not more than a 5m bar lasts"),
        ({"name": "a", "kind": "stale", "interval": "1d"}, "do not come within a session"),
    ],
)
def test_what_is_no_rule_is_refused_in_a_sentence(definition: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError) as refused:
        alert_rule(definition)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_quiet_hours_over_midnight_end_in_the_morning_by_the_clock_of_their_zone() -> None:
    quiet = quiet_hours("22:00-07:00")
    evening = datetime(2024, 3, 10, 3, 30, tzinfo=UTC)  # 22:30 in New York; clocks change at 2:00
    assert not_before(evening, "warning", quiet) == datetime(2024, 3, 10, 11, tzinfo=UTC)
    assert not_before(evening, "critical", quiet) == evening
    assert not_before(evening, "warning", None) == evening
    noon = datetime(2024, 3, 10, 16, tzinfo=UTC)
    assert not_before(noon, "info", quiet) == noon


@given(st.datetimes(datetime(2024, 1, 1), datetime(2024, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001 - Hypothesis takes naive bounds
def test_what_waits_for_the_end_of_quiet_hours_may_be_sent_then(at: datetime) -> None:
    for text in ("22:00-07:00 UTC", "12:00-13:30 Asia/Tokyo"):
        quiet = quiet_hours(text)
        sent = not_before(at, "info", quiet)
        assert at <= sent <= at + timedelta(hours=25)
        assert quiet.end_after(sent) is None


@pytest.mark.parametrize("text", ["", "22-7", "22:00-25:00", "22:00-07:00 Moon/Base", "a:b-c:d"])
def test_hours_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="notify_quiet"):
        quiet_hours(text)


def test_pauses_between_attempts_grow_to_a_limit() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, 12)]
    assert pauses[:2] == [timedelta(seconds=15), timedelta(seconds=30)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(minutes=20)
