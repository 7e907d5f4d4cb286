"""The states of an alert: OK, firing and OK again, each change notified once.

Pure: the next state follows from the one before and what was seen, so that a message that comes
twice changes nothing, and a process that was killed goes on from what the database has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from trading.alerts.rules import BaseRule, Severity

ChangeKind = Literal["firing", "reminder", "resolved"]


@dataclass(frozen=True, slots=True)
class AlertState:
    """What is known of one rule and subject.

    Attributes:
        is_firing: Whether it fires.
        since: When that began, in nanoseconds since 1970 in UTC.
        told_at: When it was told that it fires, by the clock on the wall; None while in order.
        last_told_at: The same, or when it was last reminded of.
        reminders: How often reminders were due since it was told.
        seen: The moment of the last observation: an older or equal one changes nothing.
        episode: What fires, where a rule tells several states apart.
        message: What was said when it began.
        memory: What the rule itself remembers, as JSON can hold it.
    """

    is_firing: bool = False
    since: int = 0
    told_at: int | None = None
    last_told_at: int | None = None
    reminders: int = 0
    seen: int = -1
    episode: str = ""
    message: str = ""
    memory: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule makes of an observation.

    Attributes:
        holds: Whether its condition holds; None when that cannot be told, which changes nothing.
        at: When it could first be known, in nanoseconds since 1970 in UTC.
        seen: What orders observations, e.g. a bar's start; None for those that need no order.
        token: What names the observation in an identity, e.g. interval and bar.
        message: One sentence.
        memory: What the rule remembers from now on.
        episode: What holds, where a rule tells several states apart.
    """

    holds: bool | None
    at: int
    seen: int | None
    token: str
    message: str
    memory: Mapping[str, Any] = field(default_factory=dict)
    episode: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Something to notify.

    Attributes:
        rule: The rule's name.
        subject: What of.
        kind: Whether it began, goes on or ended.
        severity: How much it matters.
        message: One sentence.
        at: When, in nanoseconds since 1970 in UTC.
        identity: The same for the same change, whoever computes it however often.
    """

    rule: str
    subject: str
    kind: ChangeKind
    severity: Severity
    message: str
    at: int
    identity: str


def advanced(
    rule: BaseRule, subject: str, state: AlertState, verdict: Verdict, now: int
) -> tuple[AlertState, Change | None]:
    """The state after a verdict, and what there is to tell.

    Args:
        rule: The rule.
        subject: What of.
        state: What is known.
        verdict: What the rule makes of an observation.
        now: The time on the wall, which is later than the verdict's in a replay or a backlog.
    """
    if verdict.seen is not None and verdict.seen <= state.seen:
        return state, None
    seen = state.seen if verdict.seen is None else verdict.seen
    state = replace(state, seen=seen, memory=verdict.memory)
    if verdict.holds is None:
        return state, None
    is_new = verdict.holds and not (state.is_firing and state.episode == verdict.episode)
    if is_new:
        fired = replace(
            state, is_firing=True, since=verdict.at, told_at=now,
            last_told_at=now, reminders=0,
            episode=verdict.episode, message=verdict.message,
        )  # fmt: skip
        return fired, _change(rule, subject, "firing", verdict)
    if state.is_firing and not verdict.holds:
        ended = AlertState(since=verdict.at, seen=seen, memory=verdict.memory)
        return ended, _change(rule, subject, "resolved", verdict)
    return state, None


def reminded(
    rule: BaseRule, subject: str, state: AlertState, now: int
) -> tuple[AlertState, Change | None]:
    """The state at a time on the wall, and a reminder when one is due.

    They are counted from when it was told, so that a backlog does not begin with reminders.
    Reminders that were due while nobody looked are one: the last.
    """
    if state.told_at is None or rule.remind_seconds is None:
        return state, None
    due = (now - state.told_at) // (rule.remind_seconds * 1_000_000_000)
    if due <= state.reminders:
        return state, None
    reminder = Change(
        rule=rule.name,
        subject=subject,
        kind="reminder",
        severity=rule.severity,
        message=state.message,
        at=now,
        identity=f"{rule.name}:{subject}:{state.since}:{due}:reminder",
    )
    return replace(state, reminders=due, last_told_at=now), reminder


def _change(rule: BaseRule, subject: str, kind: ChangeKind, verdict: Verdict) -> Change:
    return Change(
        rule=rule.name,
        subject=subject,
        kind=kind,
        severity=rule.severity,
        message=verdict.message,
        at=verdict.at,
        identity=f"{rule.name}:{subject}:{verdict.token}:{kind}",
    )
