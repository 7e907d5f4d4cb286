"""What was seen becomes states, events and notifications: all of it once, or none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from database.alerts.evaluation import evaluate
from database.alerts.log import (
    alert_events,
    firing_alerts,
    note_published,
    unpublished_events,
)
from database.alerts.outbox import notifications
from database.alerts.rules import put_rule, remove_rule, replace_file_rules, stored_rules
from database.alerts.telling import Addressees
from database.connection import Database, open_database
from database.errors import DatabaseError
from tests.trading.alerts.given import OPEN, bar, signal
from trading.alerts.delivery import quiet_hours
from trading.alerts.observations import Clock
from trading.alerts.rules import AlertRule, alert_rule
from trading.errors import ParameterError

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
BOTH = Addressees(("mail", "desk"))


def high(name: str = "high", **fields: object) -> AlertRule:
    return alert_rule({"name": name, "kind": "price_above", "level": 100, **fields})


def test_a_crossing_is_stored_and_each_channel_is_notified(database: Database) -> None:
    put_rule(database, high(), "command", "me")
    told = evaluate(database, [bar(0, 99.0), bar(1, 101.0)], BOTH, NOW)
    assert [change.kind for change in told] == ["firing"]
    (event,) = alert_events(database)
    assert (event.rule, event.subject, event.message) == ("high", "AAPL", told[0].message)
    assert sorted((n.channel, n.state) for n in notifications(database)) == [
        ("desk", "waiting"), ("mail", "waiting"),
    ]  # fmt: skip
    (firing,) = firing_alerts(database)
    assert firing.since == datetime(2024, 1, 2, 14, 32, tzinfo=UTC)
    assert firing.message == told[0].message


def test_a_process_that_died_goes_on_from_what_is_stored(
    database: Database, database_url: str
) -> None:
    put_rule(database, high(remind_seconds=300), "command", "me")
    evaluate(database, [bar(0, 99.0), bar(1, 101.0)], BOTH, NOW)
    with open_database(database_url) as another:
        assert evaluate(another, [bar(0, 99.0), bar(1, 101.0)], BOTH, NOW) == []
        clock, later = Clock(OPEN, OPEN), NOW + timedelta(seconds=301)
        assert [c.kind for c in evaluate(another, [clock], BOTH, later)] == ["reminder"]
        assert evaluate(another, [clock], BOTH, later) == []
        assert [c.kind for c in evaluate(another, [bar(9, 90.0)], BOTH, NOW)] == ["resolved"]
    assert firing_alerts(database) == []


def test_nothing_is_stored_when_a_part_of_it_cannot_be(database: Database) -> None:
    put_rule(database, high(), "command", "me")
    with database.transaction() as connection:
        connection.execute("ALTER TABLE notification ADD CHECK (channel <> 'desk')")
    with pytest.raises(DatabaseError):
        evaluate(database, [bar(0, 99.0), bar(1, 101.0)], BOTH, NOW)
    assert alert_events(database) == []
    # The state is that of before as well: the same bars tell it then.
    told = evaluate(database, [bar(0, 99.0), bar(1, 101.0)], Addressees(("mail",)), NOW)
    assert len(told) == 1


def test_a_rule_may_name_its_channels_and_leave_out_its_end(database: Database) -> None:
    put_rule(database, high(channels=["desk"], notify_resolved=False), "command", "me")
    evaluate(database, [bar(0, 99.0), bar(1, 101.0), bar(2, 90.0)], BOTH, NOW)
    assert [event.kind for event in alert_events(database)] == ["resolved", "firing"]
    assert [(n.channel, "firing" in n.title) for n in notifications(database)] == [("desk", True)]


def test_quiet_hours_hold_back_what_is_not_critical(database: Database) -> None:
    put_rule(database, high("calm"), "command", "me")
    put_rule(database, high("grave", severity="critical"), "command", "me")
    quiet = Addressees(("desk",), quiet_hours("09:00-17:00 UTC"))
    evaluate(database, [bar(0, 99.0), bar(1, 101.0)], quiet, NOW)
    found = {n.title.split()[1]: n.not_before for n in notifications(database)}
    assert found == {"calm": NOW + timedelta(hours=2), "grave": NOW}


def test_a_rule_that_is_changed_or_removed_fires_no_more(database: Database) -> None:
    assert put_rule(database, high(), "command", "me") == "added"
    assert put_rule(database, high(), "command", "me") == "unchanged"
    evaluate(database, [bar(0, 99.0), bar(1, 101.0)], BOTH, NOW)
    assert put_rule(database, high(hysteresis=0.5), "command", "me") == "changed"
    assert firing_alerts(database) == []
    assert alert_events(database)[0].message == "The rule was changed."
    remove_rule(database, "high")
    assert stored_rules(database) == []
    with pytest.raises(ParameterError, match="the name of an alert rule"):
        remove_rule(database, "high")


def test_the_rules_of_the_file_are_those_of_the_file(database: Database) -> None:
    put_rule(database, high("mine"), "command", "me")
    assert replace_file_rules(database, [high("one"), high("two")]) == 2
    assert replace_file_rules(database, [high("one"), high("two", level=5)]) == 1
    assert replace_file_rules(database, [high("two", level=5)]) == 1
    assert [(r.rule.name, r.origin) for r in stored_rules(database)] == [
        ("mine", "command"), ("two", "file"),
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="a command or the API made"):
        replace_file_rules(database, [high("mine", level=7), high("three")])
    assert len(stored_rules(database)) == 2
    for refused in (
        lambda: put_rule(database, high("two"), "command", "me"),
        lambda: remove_rule(database, "two"),
    ):
        with pytest.raises(ParameterError, match="change it in that file"):
            refused()


def test_what_the_bus_has_not_is_kept_for_it(database: Database) -> None:
    put_rule(database, high(), "command", "me")
    evaluate(database, [bar(0, 99.0), bar(1, 101.0), bar(2, 90.0)], BOTH, NOW)
    waiting = unpublished_events(database)
    assert [event.kind for event in waiting] == ["firing", "resolved"]
    note_published(database, waiting[:1])
    assert unpublished_events(database) == waiting[1:]


def test_a_signal_rule_is_looked_at_with_the_states_of_its_subjects(database: Database) -> None:
    rule = {"name": "vegas", "kind": "signal", "strategy": "vegas_channel"}
    put_rule(database, alert_rule(rule), "api", "key")
    assert len(evaluate(database, [signal(0, "buy")], BOTH, NOW)) == 1
    assert evaluate(database, [signal(1, "buy")], BOTH, NOW) == []
    assert len(evaluate(database, [signal(2, "sell")], BOTH, NOW)) == 1


def test_two_that_evaluate_at_once_take_turns(database: Database, database_url: str) -> None:
    put_rule(database, high(), "command", "me")
    with psycopg.connect(database_url) as busy:
        busy.execute("SELECT pg_advisory_xact_lock(7340001)")
        with open_database(database_url) as waiting:
            waiting.rows.execute("SET lock_timeout = '50ms'")
            with pytest.raises(DatabaseError):
                evaluate(waiting, [bar(0, 99.0)], BOTH, NOW)
