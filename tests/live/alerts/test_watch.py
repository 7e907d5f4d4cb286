"""The watch: what the bus brings is stored, published and acknowledged, in that order."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from database.alerts.log import alert_events, firing_alerts
from database.alerts.outbox import notifications
from database.alerts.rules import put_rule, stored_rules
from database.alerts.telling import Addressees
from database.connection import Database
from live.alerts.ports import BusEnds
from live.alerts.session import session_open
from live.alerts.watch import AlertWatch, WatchOptions
from tests.live.alerts.kept_events import KeptEvents, Published
from tests.trading.alerts.given import MINUTE, OPEN, bar, signal
from trading.alerts.observations import Finding, Survey
from trading.alerts.rules import alert_rule
from trading.events import AlertChanged, Event

DESK = Addressees(("desk",))
HIGH = alert_rule({"name": "high", "kind": "price_above", "level": 100})
CROSSING: list[Event] = [bar(0, 99.0), bar(1, 101.0)]


def watching(
    database: Database, *streams: list[Event], **options: Any
) -> tuple[AlertWatch, list[KeptEvents], Published]:
    consumers = [KeptEvents(events) for events in streams]
    published = Published()
    chosen = WatchOptions(addressees=DESK, wait_seconds=0.0, **options)
    return AlertWatch(database, BusEnds(consumers, published), chosen), consumers, published


def test_bars_and_signals_become_alerts_of_the_bus(database: Database) -> None:
    put_rule(database, HIGH, "api", "k")
    vegas = {"name": "vegas", "kind": "signal", "strategy": "vegas_channel"}
    put_rule(database, alert_rule(vegas), "api", "k")
    watch, consumers, published = watching(database, CROSSING, [signal(0, "sell")])
    assert watch.step() == 2
    told = [e for e in published.events if isinstance(e, AlertChanged)]
    assert [(e.rule, e.subject, e.kind) for e in told] == [
        ("high", "AAPL", "firing"), ("vegas", "AAPL/a1", "firing"),
    ]  # fmt: skip
    assert told[0].at == OPEN + 2 * MINUTE
    assert [c.acknowledged for c in consumers] == [2, 1]
    assert watch.step() == 0


def test_what_the_bus_did_not_take_is_published_later_and_not_acknowledged_before(
    database: Database,
) -> None:
    put_rule(database, HIGH, "api", "k")
    watch, consumers, published = watching(database, CROSSING)
    published.is_down = True
    with pytest.raises(ConnectionError):
        watch.step()
    assert consumers[0].acknowledged == 0
    assert len(notifications(database)) == 1  # people are told all the same
    again, consumers, published = watching(database, CROSSING)
    assert again.step() == 1
    assert len(published.events) == len(alert_events(database)) == 1
    assert consumers[0].acknowledged == 2


def test_a_symbol_of_which_nothing_comes_is_told_by_the_market_s_clock(database: Database) -> None:
    put_rule(database, alert_rule({"name": "mute", "kind": "stale", "seconds": 120}), "api", "k")
    noon = datetime(2024, 1, 2, 17, tzinfo=UTC)
    watch, _, published = watching(
        database, CROSSING, clock=lambda: noon, clock_seconds=0.0, survey_seconds=1e9
    )
    watch.step()
    assert [e.rule for e in published.events if isinstance(e, AlertChanged)] == ["mute"]


def test_the_state_of_the_platform_is_looked_at(database: Database, database_url: str) -> None:
    for kind in ("gap", "risk_state", "reconciliation", "service_down", "failed_partition"):
        put_rule(database, alert_rule({"name": kind, "kind": kind}), "api", "k")
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute(
            "INSERT INTO gap (symbol, interval, session, expected, present, state, reason) "
            "VALUES ('AAPL', '1m', '2024-01-02', 390, 387, 'open', 'not served')"
        )
        other.execute("INSERT INTO account (id, broker, is_live) VALUES ('a', 'paper', false)")
        other.execute(
            "INSERT INTO risk_state (account_id, state, reason, since, updated_at) "
            "VALUES ('a', 'HALTED', 'drawdown', now(), now())"
        )
        other.execute(
            "INSERT INTO reconciliation (account_id, cause, started_at, agreed, differences) "
            "VALUES ('a', 'start', now(), true, '[]'), ('a', 'timer', now(), false, '[1, 2]')"
        )
        other.execute(
            "INSERT INTO service_heartbeat (service, instance, started_at, beat_at, state) VALUES "
            "('windows', 'x', now(), now() - interval '2 minutes', 'running'), "
            "('executor', 'x', now(), now() - interval '2 minutes', 'stopped'), "
            "('stream', 'x', now(), now() - interval '2 minutes', 'running'), "
            "('stream', 'y', now(), now(), 'running')"
        )

    def failed(now: datetime) -> Survey:
        found = Finding("gold/AAPL", is_wrong=True, detail="gold/AAPL failed")
        return Survey("failed_partition", int(now.timestamp()), (found,))

    watch, _, _ = watching(database, surveyors=[failed, lambda _now: None])
    watch.step()
    said = {alert.rule: alert.message for alert in firing_alerts(database)}
    silent = said.pop("service_down")
    assert silent.startswith("windows has sent no heartbeat for 12")
    assert said == {
        "gap": "AAPL 1m 2024-01-02 lacks 3 bars (not served).",
        "risk_state": "Trading of a is HALTED because of drawdown.",
        "reconciliation": "a and its broker differ in 2 points (reconciliation 2).",
        "failed_partition": "gold/AAPL failed.",
    }
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("UPDATE gap SET state = 'closed'")
        other.execute("UPDATE service_heartbeat SET beat_at = now()")
    again, _, _ = watching(database)
    again.step()
    assert {alert.rule for alert in firing_alerts(database)} == {
        "risk_state", "reconciliation", "failed_partition",
    }  # fmt: skip


def test_the_file_of_rules_is_read_again_when_it_changes(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "alerts.yaml"
    watch, _, _ = watching(database, rules_file=path)
    watch.step()
    assert stored_rules(database) == []
    path.write_text("rules:\n- {name: high, kind: price_above, level: 100}\n")
    watch.step()
    assert [stored.rule.name for stored in stored_rules(database)] == ["high"]
    for number, wrong in enumerate(("rules: [{name: x}]", "rules: {", "[]", "rules: [a]")):
        path.write_text(wrong)
        _touch(path, number)
        with caplog.at_level(logging.ERROR):
            watch.step()
        assert len(caplog.records) == number + 1
        watch.step()
        assert len(caplog.records) == number + 1  # said once
        assert [stored.rule.name for stored in stored_rules(database)] == ["high"]
    path.unlink()
    watch.step()
    assert stored_rules(database) == []


def _touch(path: Path, number: int) -> None:
    """Give a file a time of change of its own, whatever the file system's clock."""
    os.utime(path, (number + 1, number + 1))


@pytest.mark.parametrize(
    ("moment", "opened"),
    [
        ("2024-01-02T14:29:59+00:00", None),
        ("2024-01-02T14:30:00+00:00", "2024-01-02T14:30"),
        ("2024-01-02T20:59:59+00:00", "2024-01-02T14:30"),
        ("2024-01-02T21:00:00+00:00", None),
        ("2024-01-01T16:00:00+00:00", None),
        ("2024-07-03T16:59:00+00:00", "2024-07-03T13:30"),
        ("2024-07-03T17:00:00+00:00", None),
    ],
)
def test_sessions_are_those_of_the_calendar(moment: str, opened: str | None) -> None:
    found = session_open(datetime.fromisoformat(moment))
    expected = None
    if opened is not None:
        start = datetime.fromisoformat(opened).replace(tzinfo=UTC)
        expected = int(start.timestamp()) * 1_000_000_000
    assert found == expected
