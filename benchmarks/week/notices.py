"""Whether each alert was told, each once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import yaml

from benchmarks.week.plan import Plan
from benchmarks.week.prices import Checked, events
from benchmarks.week.receiver import Received
from database.connection import Database
from lake.reading import read
from live.bus.port import Bus
from trading.alerts.evaluation import evaluated
from trading.alerts.rules import AlertRule, alert_rule
from trading.events import AlertChanged, BarClosed, SignalMade, Stream

OF_MARKET = ("level", "swing", "band")
"""Rules on bars and signals, whose alerts follow from these alone."""


def write_rules(plan: Plan, file: Path) -> None:
    """Rules that fire now and then in the replay, and one that fires as processes die."""
    symbol, interval = plan.symbols[0], plan.intervals[-1]
    minutes = read("bronze", symbol, "1m", plan.first, plan.last, lake_dir=plan.lake)
    closes = sorted(minutes["close"].to_pylist())
    rules = [
        {"name": "level", "kind": "price_above", "symbols": [symbol], "interval": interval,
         "level": closes[len(closes) // 2]},
        {"name": "swing", "kind": "change", "interval": interval, "percent": 0.6, "bars": 6},
        {"name": "band", "kind": "signal", "strategy": plan.strategy, "signals": ["buy", "sell"],
         "interval": plan.intervals[0]},
        {"name": "down", "kind": "service_down"},
    ]  # fmt: skip
    file.write_text(yaml.safe_dump({"rules": [rule | {"remind_seconds": None} for rule in rules]}))


def check_alerts(file: Path, bus: Bus, database: Database) -> Checked:
    """The alerts of the market against what the rules say of all bars and signals, in order."""
    rules: list[AlertRule] = [
        alert_rule(rule) for rule in yaml.safe_load(file.read_text())["rules"]
        if rule["name"] in OF_MARKET
    ]  # fmt: skip
    seen = {e.identity: e for e in events(bus, Stream.BARS) if isinstance(e, BarClosed)}
    said = {e.identity: e for e in events(bus, Stream.SIGNALS) if isinstance(e, SignalMade)}
    observations: list[BarClosed | SignalMade] = [*seen.values(), *said.values()]
    observations.sort(key=lambda event: (event.available_at, event.symbol))
    expected = {change.identity for change in evaluated(rules, {}, observations, 0).changes}
    with database.transaction() as connection:
        rows = connection.execute("SELECT rule, identity FROM alert_event").fetchall()
    found = {str(identity) for rule, identity in rows if rule in OF_MARKET}
    wrong = [f"{name} was never said" for name in sorted(expected - found)]
    wrong += [f"{name} should not have been said" for name in sorted(found - expected)]
    if not expected:
        wrong.append("no rule ever fired")
    told = Counter(e.identity for e in events(bus, Stream.ALERTS) if isinstance(e, AlertChanged))
    wrong += [f"{identity} is not on the bus" for _, identity in rows if not told[str(identity)]]
    return Checked("alerts", len(rows), wrong, f"{len(expected)} of them of the market")


def check_deliveries(received: Received, database: Database) -> Checked:
    """Each notification came once; one that was under way at a kill once or never, and says so."""
    with database.transaction() as connection:
        rows = connection.execute("SELECT title, body, state FROM notification").fetchall()
    came = Counter(received.messages)
    least = Counter((str(t), str(b)) for t, b, state in rows if state == "sent")
    most = Counter((str(t), str(b)) for t, b, state in rows if state in ("sent", "unknown"))
    wrong = [f"{text} was to come {least[text]} times and came {came[text]}" for text in least
             if came[text] < least[text]]  # fmt: skip
    wrong += [f"{text} came {came[text]} times, not {most[text]}" for text in came
              if came[text] > most[text]]  # fmt: skip
    states = Counter(str(state) for *_, state in rows)
    wrong += [f"{count} notifications are {state}" for state, count in states.items()
              if state not in ("sent", "unknown", "muted")]  # fmt: skip
    remark = ", ".join(f"{count} {state}" for state, count in states.most_common())
    return Checked("notifications", len(rows), wrong, remark)
