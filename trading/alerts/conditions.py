"""Whether a rule's condition holds: one function for each kind of rule.

A correction of a bar that was seen already is not looked at: an alert says what was known at the
bar's close, and says it once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from trading.alerts.machine import AlertState, Verdict
from trading.alerts.observations import Clock, Finding, Observation, Survey
from trading.alerts.rules import (
    AlertRule,
    ChangeRule,
    IndicatorRule,
    PriceRule,
    SignalRule,
    StaleRule,
    SurveyRule,
    SymbolRule,
)
from trading.events import BarClosed, SignalMade
from trading.instruments.clock import to_datetime

_SECOND = 1_000_000_000


def subjects_of(rule: AlertRule, observation: Observation, known: Iterable[str]) -> set[str]:
    """What the rule has to look at because of an observation; empty when it is not concerned.

    Args:
        rule: The rule.
        observation: What was seen.
        known: The subjects of which the rule has a state.
    """
    match rule, observation:
        case (PriceRule() | ChangeRule() | StaleRule(), BarClosed()):
            return {observation.symbol} if _is_of(rule, observation) else set()
        case (IndicatorRule() | SignalRule(), SignalMade()):
            return {_signal_subject(rule, observation)} if _speaks(rule, observation) else set()
        case (StaleRule(), Clock()):
            return set(known) | set(rule.symbols)
        case (SurveyRule(), Survey()) if rule.kind == observation.kind:
            found = {finding.subject for finding in observation.findings}
            return {s for s in found | set(known) if not rule.subjects or s in rule.subjects}
    return set()


def verdict_of(
    rule: AlertRule, subject: str, observation: Observation, state: AlertState
) -> Verdict | None:
    """What the rule makes of an observation that concerns it; None when nothing."""
    if isinstance(observation, BarClosed):
        return _of_bar(rule, observation, state)
    if isinstance(observation, SignalMade):
        return _of_signal(rule, observation, state.memory)
    if isinstance(observation, Clock):
        return _stale(rule, subject, observation, state) if isinstance(rule, StaleRule) else None
    return _survey(rule, subject, observation) if isinstance(rule, SurveyRule) else None


def _of_bar(rule: AlertRule, bar: BarClosed, state: AlertState) -> Verdict | None:
    match rule:
        case PriceRule():
            return _price(rule, bar, state.memory)
        case ChangeRule():
            return _change(rule, bar, state)
        case StaleRule():
            return _heard(bar, state)
    return None


def _of_signal(rule: AlertRule, signal: SignalMade, memory: Mapping[str, Any]) -> Verdict | None:
    match rule:
        case IndicatorRule():
            return _indicator(rule, signal, memory)
        case SignalRule():
            return _signal(rule, signal)
    return None


def _is_of(rule: SymbolRule, event: BarClosed | SignalMade) -> bool:
    return event.interval == rule.interval and (not rule.symbols or event.symbol in rule.symbols)


def _speaks(rule: IndicatorRule | SignalRule, event: SignalMade) -> bool:
    wanted = rule.fingerprint in (None, event.fingerprint)
    return _is_of(rule, event) and event.strategy == rule.strategy and wanted


def _signal_subject(rule: IndicatorRule | SignalRule, event: SignalMade) -> str:
    """The symbol, and whose signal it is where the rule takes those of several parameters."""
    return event.symbol if rule.fingerprint else f"{event.symbol}/{event.fingerprint[:8]}"


def _crossed(
    distance: float, hysteresis: float, memory: Mapping[str, Any]
) -> tuple[bool | None, Mapping[str, Any]]:
    """Whether something is beyond a level that it has been on this side of.

    Args:
        distance: How far beyond it is; at the level or on this side of it: 0 or less.
        hysteresis: How far it has to come back to be on this side again.
        memory: Whether it has been on this side, and is beyond.
    """
    if not math.isfinite(distance):
        return None, memory
    if distance <= 0 and (distance <= -hysteresis or not memory.get("beyond")):
        return False, {"armed": True, "beyond": False}
    if distance > 0 and memory.get("armed"):
        return True, {"armed": True, "beyond": True}
    # In the band between the two, or beyond from the start: as it was.
    return None, memory


def _price(rule: PriceRule, bar: BarClosed, memory: Mapping[str, Any]) -> Verdict:
    sign = 1.0 if rule.kind == "price_above" else -1.0
    holds, memory = _crossed(sign * (bar.close - rule.level), rule.hysteresis * rule.level, memory)
    side = "above" if rule.kind == "price_above" else "below"
    word = f"is {side}" if holds else f"is no longer {side}"
    message = f"{bar.symbol} {word} {rule.level:g}: {_closed(bar)}."
    return _at_bar(bar, holds, message, memory)


def _change(rule: ChangeRule, bar: BarClosed, state: AlertState) -> Verdict:
    if not (math.isfinite(bar.close) and bar.close > 0):
        return _at_bar(bar, None, "", state.memory)
    closes = [*state.memory.get("closes", ()), bar.close][-rule.bars - 1 :]
    memory = {"closes": closes}
    if len(closes) <= rule.bars:
        return _at_bar(bar, None, "", memory)
    change = 100.0 * (closes[-1] / closes[0] - 1.0)
    up, down = rule.direction != "down", rule.direction != "up"
    size = max(change if up else -math.inf, -change if down else -math.inf)
    needed = rule.percent * (1.0 - rule.hysteresis) if state.is_firing else rule.percent
    message = f"{bar.symbol} changed by {change:+.2f} % over {rule.bars} bars: {_closed(bar)}."
    return _at_bar(bar, size > needed, message, memory)


def _indicator(rule: IndicatorRule, signal: SignalMade, memory: Mapping[str, Any]) -> Verdict:
    value = _number(signal, rule.column)
    limit = _number(signal, rule.other) if rule.other is not None else rule.level
    if value is None or limit is None:
        return _at_bar(signal, None, "", memory)
    sign = 1.0 if rule.kind == "indicator_above" else -1.0
    holds, memory = _crossed(sign * (value - limit), rule.hysteresis, memory)
    side = "above" if rule.kind == "indicator_above" else "below"
    word = f"is {side}" if holds else f"is no longer {side}"
    than = f"{rule.other} ({limit:g})" if rule.other is not None else f"{limit:g}"
    message = f"{signal.symbol}: {rule.column} ({value:g}) {word} {than}; {_closed(signal)}."
    return _at_bar(signal, holds, message, memory)


def _number(signal: SignalMade, column: str) -> float | None:
    value = signal.values.get(column)
    return value if value is not None and math.isfinite(value) else None


def _signal(rule: SignalRule, signal: SignalMade) -> Verdict:
    message = f"{signal.strategy} says {signal.signal} {signal.symbol}: {_closed(signal)}."
    holds = signal.signal in rule.signals
    return _at_bar(signal, holds, message, {}, episode=signal.signal)


def _heard(bar: BarClosed, state: AlertState) -> Verdict:
    """A bar has come; whether it is a recent one is for the clock to say."""
    heard = max(int(state.memory.get("heard", 0)), bar.available_at)
    return _at_bar(bar, None, "", {"heard": heard})


def _stale(rule: StaleRule, subject: str, clock: Clock, state: AlertState) -> Verdict:
    memory = state.memory
    if clock.session_open is None:
        holds, message = False, f"{subject} is no longer watched: the exchange is closed."
    else:
        silent = clock.at - max(int(memory.get("heard", 0)), clock.session_open)
        holds = silent > rule.seconds * _SECOND
        bars = f"{rule.interval.value} bar of {subject}"
        message = (
            f"No {bars} has come for {silent / _SECOND:.0f} s."
            if holds
            else f"Each {bars} comes again."
        )
    return Verdict(holds, clock.at, None, str(clock.at), message, memory)


def _survey(rule: SurveyRule, subject: str, survey: Survey) -> Verdict:
    nothing = Finding(subject, is_wrong=False, detail=f"{subject} is in order")
    finding = next((f for f in survey.findings if f.subject == subject), nothing)
    is_silent = rule.kind != "service_down" or finding.seconds > rule.seconds
    holds = finding.is_wrong and is_silent
    detail = finding.detail if holds or not finding.is_wrong else nothing.detail
    token = f"{survey.at}:{finding.episode}"
    return Verdict(holds, survey.at, None, token, f"{detail}.", episode=finding.episode)


def _at_bar(
    event: BarClosed | SignalMade,
    holds: bool | None,  # noqa: FBT001 - a verdict
    message: str,
    memory: Mapping[str, Any],
    episode: str = "",
) -> Verdict:
    token = f"{event.interval}:{event.ts}"
    return Verdict(holds, event.available_at, event.ts, token, message, memory, episode)


def _closed(event: BarClosed | SignalMade) -> str:
    start = to_datetime(np.datetime64(event.ts, "ns"))
    when = start.strftime("%Y-%m-%d %H:%M")
    return f"its {event.interval} bar of {when} New York closed at {event.close:g}"
