"""All rules over the observations: states that changed, and what to notify."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from trading.alerts.conditions import subjects_of, verdict_of
from trading.alerts.machine import AlertState, Change, advanced, reminded
from trading.alerts.observations import Clock, Observation, Survey
from trading.alerts.rules import AlertRule
from trading.events import BarClosed, SignalMade

Key = tuple[str, str]
"""A rule's name and a subject."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What observations came to.

    Attributes:
        states: Those that are not as they were.
        changes: What to notify, in order.
    """

    states: Mapping[Key, AlertState]
    changes: Sequence[Change]


def keys_needed(
    rules: Iterable[AlertRule], observations: Iterable[Observation]
) -> tuple[set[Key], set[str]]:
    """The states that an evaluation needs: by rule and subject, and all of some rules.

    Those that fire are needed as well when a clock is among the observations, for reminders.
    """
    keys: set[Key] = set()
    whole: set[str] = set()
    rules = list(rules)
    for observation in observations:
        for rule in rules:
            subjects = subjects_of(rule, observation, ())
            if isinstance(observation, BarClosed | SignalMade):
                keys |= {(rule.name, subject) for subject in subjects}
            elif concerns_all(rule, observation):
                whole.add(rule.name)
    return keys, whole


def concerns_all(rule: AlertRule, observation: Clock | Survey) -> bool:
    """Whether an observation is about every subject that the rule knows."""
    return rule.kind == ("stale" if isinstance(observation, Clock) else observation.kind)


def evaluated(
    rules: Sequence[AlertRule],
    states: Mapping[Key, AlertState],
    observations: Iterable[Observation],
    now: int,
) -> Evaluation:
    """Look at the observations in order.

    Args:
        rules: The rules, each of a name of its own.
        states: Those of `keys_needed` that there are.
        observations: What was seen, in order for each subject.
        now: The time on the wall, in nanoseconds since 1970 in UTC; reminders are due by it when
            a clock is among the observations.
    """
    after = dict(states)
    known: dict[str, set[str]] = defaultdict(set)
    for rule_name, subject in after:
        known[rule_name].add(subject)
    changes: list[Change] = []
    for observation in observations:
        for rule in rules:
            for subject in sorted(subjects_of(rule, observation, known[rule.name])):
                key = rule.name, subject
                before = after.get(key, AlertState())
                verdict = verdict_of(rule, subject, observation, before)
                if verdict is None:
                    continue
                after[key], change = advanced(rule, subject, before, verdict, now)
                known[rule.name].add(subject)
                changes += [change] if change else []
            if isinstance(observation, Clock):
                changes += _reminders(rule, after, known[rule.name], now)
    moved = {key: state for key, state in after.items() if states.get(key) != state}
    return Evaluation(moved, changes)


def _reminders(
    rule: AlertRule, states: dict[Key, AlertState], subjects: Iterable[str], now: int
) -> Iterable[Change]:
    for subject in sorted(subjects):
        key = rule.name, subject
        states[key], reminder = reminded(rule, subject, states[key], now)
        if reminder is not None:
            yield reminder
