"""What checks come to: the worst counts, ages and disks have limits, silence is an alarm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from trading.operations.health import (
    Check,
    Condition,
    Health,
    ServiceRow,
    age_text,
    checked_age,
    checked_disk,
    checked_services,
    worst,
)

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("conditions", "expected", "code"),
    [
        ([], Condition.OK, 0),
        ([Condition.OFF], Condition.OK, 0),
        ([Condition.OK, Condition.OFF], Condition.OK, 0),
        ([Condition.OK, Condition.WARN, Condition.OFF], Condition.WARN, 3),
        ([Condition.WARN, Condition.DOWN, Condition.OK], Condition.DOWN, 1),
    ],
)
def test_the_worst_counts(conditions: list[Condition], expected: Condition, code: int) -> None:
    assert worst(conditions) is expected
    health = Health(NOW, tuple(Check(str(n), c, "") for n, c in enumerate(conditions)))
    assert (health.condition, health.exit_code) == (expected, code)


def test_ages_are_told_in_the_unit_that_tells_most() -> None:
    ages = [timedelta(seconds=119), timedelta(minutes=119), timedelta(hours=47), timedelta(days=9)]
    assert [age_text(age) for age in ages] == ["119 s", "119 min", "47 h", "9 days"]
    # A sign of life that was given while the clock was read is no age below zero.
    assert [age_text(timedelta(seconds=age)) for age in (-0.3, -1.2)] == ["0 s", "0 s"]


def test_what_never_happened_is_off_and_what_is_too_old_warns() -> None:
    def check(last: datetime | None) -> Check:
        return checked_age(
            "x", last, NOW, limit=timedelta(hours=1), what="last success", next_step="look at it"
        )

    assert check(None).condition is Condition.OFF
    assert check(NOW - timedelta(hours=1)).condition is Condition.OK
    late = check(NOW - timedelta(hours=1, seconds=1))
    assert late.condition is Condition.WARN
    assert late.message.endswith("look at it")


@pytest.mark.parametrize(
    ("free", "condition"), [(10, Condition.OK), (9, Condition.WARN), (1, Condition.DOWN)]
)
def test_a_full_disk_is_said_before_it_is_full(free: int, condition: Condition) -> None:
    assert checked_disk("disk", free, 100).condition is condition


def service(name: str, state: str, *, began: int, silent: int) -> ServiceRow:
    """A process by the seconds since it began and since its last sign of life."""
    return (name, f"host:{began}", NOW - timedelta(seconds=began), NOW - timedelta(seconds=silent),
            state)  # fmt: skip


def test_a_silent_service_is_down_and_a_stopped_one_is_not() -> None:
    rows = [
        service("a", "running", began=900, silent=5),
        service("b", "running", began=900, silent=61),
        service("c", "stopped", began=900, silent=900),
        service("d", "degraded", began=900, silent=5),
    ]
    assert [check.condition for check in checked_services(rows, NOW)] == [
        Condition.OK, Condition.DOWN, Condition.OFF, Condition.WARN,
    ]  # fmt: skip


def test_a_dead_process_with_another_in_its_place_is_no_alarm() -> None:
    killed = service("windows", "running", began=900, silent=300)
    found = checked_services([killed, service("windows", "running", began=298, silent=2)], NOW)
    assert [check.condition for check in found] == [Condition.OFF, Condition.OK]
    assert found[0].message.endswith("; another one was started since")
    for other in (
        service("windows", "running", began=800, silent=2),  # it ran beside it
        service("windows", "running", began=298, silent=61),
        service("windows", "stopped", began=298, silent=2),
        service("signals", "running", began=298, silent=2),
    ):
        assert checked_services([killed, other], NOW)[0].condition is Condition.DOWN
