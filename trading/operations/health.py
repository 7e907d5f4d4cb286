"""What checks of services find, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any


class Condition(StrEnum):
    """How something does, from best to worst."""

    OK = "ok"
    OFF = "off"
    """Not in use here, so nothing is wrong with it."""
    WARN = "warn"
    """It works, and somebody should look at it."""
    DOWN = "down"


_ORDER = (Condition.OFF, Condition.OK, Condition.WARN, Condition.DOWN)


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found.

    Attributes:
        name: What was looked at.
        condition: How it does.
        message: One sentence: what was found, and what to do when that is not well.
    """

    name: str
    condition: Condition
    message: str


@dataclass(frozen=True, slots=True)
class Health:
    """What all checks found.

    Attributes:
        at: When they were made.
        checks: Each of them.
    """

    at: datetime
    checks: tuple[Check, ...]

    @property
    def condition(self) -> Condition:
        """The worst of them; ok when there is none."""
        return worst(check.condition for check in self.checks)

    @property
    def exit_code(self) -> int:
        """0 when all is well, 3 when somebody should look, 1 when something is down."""
        return {Condition.DOWN: 1, Condition.WARN: 3}.get(self.condition, 0)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: `at`, `condition`, and `checks` with name, condition and message."""
        return {
            "at": self.at.isoformat(),
            "condition": self.condition.value,
            "checks": [asdict(check) for check in self.checks],
        }


def worst(conditions: Iterable[Condition]) -> Condition:
    """The worst of several conditions; ok when there is none that is in use."""
    found = max(conditions, key=_ORDER.index, default=Condition.OK)
    return Condition.OK if found is Condition.OFF else found


def age_text(age: timedelta) -> str:
    """A length of time in the unit that tells most: `40 s`, `12 min`, `5 h`, `3 days`.

    One below zero is `0 s`: what is looked at was written after the clock was read, or by another.
    """
    seconds = max(age.total_seconds(), 0.0)
    for limit, unit, divisor in ((120, "s", 1), (7_200, "min", 60), (172_800, "h", 3_600)):
        if seconds < limit:
            return f"{seconds / divisor:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"


def checked_age(
    name: str,
    last: datetime | None,
    now: datetime,
    *,
    limit: timedelta,
    what: str,
    next_step: str,
) -> Check:
    """Whether something happened lately enough.

    Args:
        name: Of the check.
        last: When it last happened; None for never.
        now: The moment.
        limit: The age from which on somebody should look.
        what: What happened, e.g. "last success".
        next_step: What to do when it did not.
    """
    if last is None:
        return Check(name, Condition.OFF, f"{what}: never")
    age = now - last
    text = f"{what} {age_text(age)} ago"
    if age > limit:
        message = f"{text}, more than {age_text(limit)}; {next_step}"
        return Check(name, Condition.WARN, message)
    return Check(name, Condition.OK, text)


def checked_disk(name: str, free: int, total: int) -> Check:
    """Whether a disk has room: warn below 10 %, down below 2 %.

    Args:
        name: Of the check.
        free: Bytes that are left.
        total: Bytes that it has.
    """
    share = free / total if total else 0.0
    text = f"{free / 1e9:,.1f} GB free, {share:.0%}"
    if share < 0.02:  # noqa: PLR2004 - as the docstring says
        return Check(name, Condition.DOWN, f"{text}; make room before anything is written")
    if share < 0.1:  # noqa: PLR2004
        return Check(name, Condition.WARN, f"{text}; make room")
    return Check(name, Condition.OK, text)


ServiceRow = tuple[str, str, datetime, datetime, str]
"""Service, instance, when it began, its last sign of life, and what it said of itself then."""


def checked_services(rows: Sequence[ServiceRow], now: datetime) -> list[Check]:
    """Whether each long-running process gives signs of life, or one that was begun after it.

    Args:
        rows: The processes.
        now: The moment.
    """
    checks = []
    for service, instance, _, beat_at, state in rows:
        name, age = f"{service} {instance}", now - beat_at
        said = f"{state}, last heartbeat {age_text(age)} ago"
        if state == "stopped":
            checks.append(Check(name, Condition.OFF, said))
        elif age > SILENCE and any(_follows(row, service, beat_at, now) for row in rows):
            checks.append(Check(name, Condition.OFF, f"{said}; another one was started since"))
        elif age > SILENCE:
            checks.append(Check(name, Condition.DOWN, f"{said}; start it again"))
        else:
            well = Condition.WARN if state == "degraded" else Condition.OK
            checks.append(Check(name, well, said))
    return checks


def _follows(row: ServiceRow, service: str, silent_since: datetime, now: datetime) -> bool:
    """Whether it lives in another one's place; one that ran beside it does not stand in for it."""
    name, _, started_at, beat_at, state = row
    is_alive = now - beat_at <= SILENCE and state != "stopped"
    return name == service and is_alive and started_at > silent_since


SILENCE = timedelta(seconds=60)
"""How long a process may send no heartbeat."""
