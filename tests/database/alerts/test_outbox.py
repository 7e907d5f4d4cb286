"""The outbox: each notification at most once, in order, and nothing lost without a word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from database.alerts.evaluation import evaluate
from database.alerts.locks import become_sender
from database.alerts.outbox import (
    Notification,
    begin_trial,
    claim_notification,
    note_outcome,
    notifications,
    resolve_unknown,
)
from database.alerts.rules import put_rule
from database.alerts.telling import Addressees
from database.connection import Database, open_database
from tests.trading.alerts.given import OPEN, bar
from tests.waiting import wait_until
from trading.alerts.delivery import ATTEMPTS
from trading.alerts.observations import Clock
from trading.alerts.rules import alert_rule

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
DESK = ("desk",)
MANY = 1000


@pytest.fixture
def told(database: Database) -> Database:
    """A database in which an alert of AAPL began and ended, and one of MSFT began."""
    rule = {"name": "high", "kind": "price_above", "level": 100, "remind_seconds": 60}
    put_rule(database, alert_rule(rule), "command", "me")
    seen = [bar(0, 99.0), bar(0, 99.0, "MSFT"), bar(1, 101.0), bar(1, 101.0, "MSFT"), bar(2, 90.0)]
    evaluate(database, seen, Addressees(DESK), NOW)
    return database


def claimed(database: Database, now: datetime = NOW, per_minute: int = MANY) -> Notification | None:
    return claim_notification(database, DESK, per_minute, now)


def states(database: Database) -> list[str]:
    return [notification.state for notification in reversed(notifications(database))]


def test_what_is_claimed_and_sent_is_not_claimed_again(told: Database) -> None:
    for _ in range(3):
        notification = claimed(told)
        assert notification is not None
        note_outcome(told, notification, "sent", None, NOW)
    assert claimed(told) is None
    assert states(told) == ["sent"] * 3
    assert notifications(told)[0].sent_at == NOW


def test_what_a_dead_sender_was_sending_is_unknown_and_not_sent_again(
    told: Database, database_url: str
) -> None:
    with open_database(database_url) as dead:
        assert become_sender(dead)
        assert not become_sender(told)
        lost = claimed(dead)
    assert lost is not None
    wait_until(lambda: become_sender(told), "the server to notice that the connection ended")
    assert resolve_unknown(told, NOW) == 1
    left = []
    while (notification := claimed(told)) is not None:
        left.append(notification.id)
        note_outcome(told, notification, "sent", None, NOW)
    assert lost.id not in left
    assert states(told) == ["unknown", "sent", "sent"]
    logged = notifications(told)[-1]
    assert logged.reason == "the process ended between sending and noting"


def test_what_was_refused_waits_and_what_comes_after_it_waits_with_it(told: Database) -> None:
    first = claimed(told)
    assert first is not None
    note_outcome(told, first, "refused", "HTTP 500", NOW)
    other = claimed(told)
    assert other is not None
    assert "MSFT" in other.title
    note_outcome(told, other, "sent", None, NOW)
    assert claimed(told) is None  # that AAPL's ended is not told before that it began
    again = claimed(told, NOW + timedelta(seconds=15))
    assert again is not None
    assert (again.id, again.attempts) == (first.id, 2)
    note_outcome(told, again, "sent", None, NOW)
    ended = claimed(told)
    assert ended is not None
    assert "resolved: AAPL" in ended.title


def test_what_is_refused_to_the_last_fails_and_says_why(told: Database) -> None:
    now = NOW
    for attempt in range(1, ATTEMPTS + 1):
        notification = claimed(told, now)
        assert notification is not None
        assert "firing: AAPL" in notification.title
        assert notification.attempts == attempt
        note_outcome(told, notification, "refused", "HTTP 500", now)
        while (other := claimed(told, now)) is not None and attempt == 1:
            note_outcome(told, other, "sent", None, now)
        now += timedelta(hours=1)
    assert states(told)[0] == "failed"
    assert notifications(told)[-1].reason == "HTTP 500"


def test_a_channel_gets_no_more_than_its_rate(told: Database) -> None:
    first = claimed(told, per_minute=1)
    assert first is not None
    note_outcome(told, first, "sent", None, NOW)
    assert claimed(told, NOW + timedelta(seconds=59), per_minute=1) is None
    assert claimed(told, NOW + timedelta(seconds=60), per_minute=1) is not None


def test_a_reminder_that_waited_too_long_is_not_sent(database: Database) -> None:
    rule = {"name": "high", "kind": "price_above", "level": 100, "remind_seconds": 60}
    put_rule(database, alert_rule(rule), "command", "me")
    evaluate(database, [bar(0, 99.0), bar(1, 101.0)], Addressees(DESK), NOW)
    for minutes in (3, 4):
        later = NOW + timedelta(minutes=minutes)
        evaluate(database, [Clock(OPEN, OPEN)], Addressees(DESK), later)
    sent = []
    while (notification := claimed(database, NOW + timedelta(minutes=5))) is not None:
        sent.append(notification.title.split()[2])
        note_outcome(database, notification, "sent", None, NOW)
    assert sent == ["firing:", "reminder:"]
    assert states(database) == ["sent", "muted", "sent"]


def test_a_channel_that_is_no_longer_named_is_said(told: Database) -> None:
    assert claim_notification(told, ("mail",), MANY, NOW) is None
    assert states(told) == ["failed"] * 3
    assert notifications(told)[0].reason == "TRADING_NOTIFY names no such channel"


def test_a_trial_is_sent_by_who_asked_for_it_alone(database: Database) -> None:
    trial = begin_trial(database, "desk", ("Trial", "Nothing is wrong."), "trial:1", NOW)
    assert claimed(database) is None
    note_outcome(database, trial, "refused", "HTTP 500", NOW)
    assert states(database) == ["failed"]
