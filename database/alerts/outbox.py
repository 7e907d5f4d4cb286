"""The outbox: each notification is sent at most once, and what became of it is written down.

`sending` is committed before anything leaves, and the outcome after. A process that dies in
between leaves a notification of which nobody knows whether it arrived: it becomes `unknown`, is
shown so and is not sent again. A channel that says no is tried again, later and later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg.rows import class_row

from database.connection import Database
from trading.alerts.delivery import ATTEMPTS, pause_after

Outcome = Literal["sent", "refused", "unknown"]

_CLAIM = """
UPDATE notification SET state = 'sending', attempts = attempts + 1 WHERE id = (
    SELECT n.id FROM notification n LEFT JOIN alert_event e ON e.id = n.event_id
    WHERE n.state = 'waiting' AND n.not_before <= %(now)s AND n.channel = ANY(%(channels)s)
        -- What is told of one alert stays in order.
        AND NOT EXISTS (
            SELECT FROM notification b JOIN alert_event f ON f.id = b.event_id
            WHERE b.channel = n.channel AND b.state IN ('waiting', 'sending') AND b.id < n.id
                AND (f.rule, f.subject) = (e.rule, e.subject)
        )
    ORDER BY n.not_before, n.id LIMIT 1 FOR UPDATE OF n SKIP LOCKED
) RETURNING id, channel, title, body, attempts
"""

_MUTE_REMINDERS = """
UPDATE notification n SET state = 'muted' FROM alert_event e
WHERE n.state = 'waiting' AND e.id = n.event_id AND e.kind = 'reminder' AND EXISTS (
    SELECT FROM notification a JOIN alert_event f ON f.id = a.event_id
    WHERE a.channel = n.channel AND a.id > n.id AND (f.rule, f.subject) = (e.rule, e.subject)
)
"""

_REFUSE_UNNAMED = """
WITH refused AS (
    UPDATE notification SET state = 'failed'
    WHERE state = 'waiting' AND NOT channel = ANY(%(channels)s) RETURNING id
)
INSERT INTO delivery (notification_id, at, outcome, reason)
SELECT id, %(now)s, 'refused', 'TRADING_NOTIFY names no such channel' FROM refused
"""

_BUSY = """
SELECT n.channel FROM delivery d JOIN notification n ON n.id = d.notification_id
WHERE d.at > %(since)s GROUP BY n.channel HAVING count(*) >= %(most)s
"""

_RESOLVE = """
WITH lost AS (UPDATE notification SET state = 'unknown' WHERE state = 'sending' RETURNING id)
INSERT INTO delivery (notification_id, at, outcome, reason)
SELECT id, %s, 'unknown', 'the process ended between sending and noting' FROM lost
"""

_LOG = """
SELECT n.id, n.channel, n.title, n.body, n.state, n.attempts, n.created_at, n.not_before,
    n.sent_at, (
        SELECT d.reason FROM delivery d WHERE d.notification_id = n.id ORDER BY d.id DESC LIMIT 1
    ) AS reason
FROM notification n ORDER BY n.id DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification that is to be sent now, by whoever claimed it.

    Attributes:
        id: Its number.
        channel: Where to.
        title: Its subject line.
        body: Its text.
        attempts: How often it was tried, this time included.
    """

    id: int
    channel: str
    title: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class LoggedNotification:
    """A notification and what became of it.

    Attributes:
        id: Its number.
        channel: Where to.
        title: Its subject line.
        body: Its text.
        state: `waiting`, `sending`, `sent`, `failed`, `unknown` or `muted`.
        attempts: How often it was tried.
        created_at: When it was made.
        not_before: When it may be sent, or tried again.
        sent_at: When it was sent.
        reason: Why the last attempt was none.
    """

    id: int
    channel: str
    title: str
    body: str
    state: str
    attempts: int
    created_at: datetime
    not_before: datetime
    sent_at: datetime | None
    reason: str | None


def resolve_unknown(database: Database, now: datetime) -> int:
    """Give up what a sender that is gone was sending; how many that were.

    For the one sender alone, before it sends: see `database.alerts.locks.become_sender`.
    """
    with database.transaction() as connection:
        return connection.execute(_RESOLVE, [now]).rowcount


def claim_notification(
    database: Database, channels: tuple[str, ...], per_minute: int, now: datetime
) -> Notification | None:
    """The next notification to send, marked `sending`; None when none is due.

    A reminder that waited until there was something newer to tell is muted.

    Args:
        database: The database.
        channels: The channels there are; what is meant for others fails.
        per_minute: Most attempts that a channel gets within a minute.
        now: The moment.
    """
    with database.transaction() as connection:
        connection.execute(_REFUSE_UNNAMED, {"channels": list(channels), "now": now})
        connection.execute(_MUTE_REMINDERS)
        window = {"since": now - timedelta(minutes=1), "most": per_minute}
        busy = {channel for (channel,) in connection.execute(_BUSY, window)}
        free = [channel for channel in channels if channel not in busy]
        with connection.cursor(row_factory=class_row(Notification)) as cursor:
            return cursor.execute(_CLAIM, {"channels": free, "now": now}).fetchone()


def note_outcome(
    database: Database,
    notification: Notification,
    outcome: Outcome,
    reason: str | None,
    now: datetime,
) -> None:
    """Write down what became of an attempt; what was refused waits for the next one.

    Args:
        database: The database.
        notification: What was sent, as it was claimed.
        outcome: Whether it was sent, refused, or nobody knows.
        reason: Why it was not sent, without a secret.
        now: The moment.
    """
    state, again = str(outcome), now
    if outcome == "refused":
        is_last = notification.attempts >= ATTEMPTS
        state = "failed" if is_last else "waiting"
        again = now + pause_after(notification.attempts)
    with database.transaction() as connection:
        connection.execute(
            "UPDATE notification SET state = %s, not_before = %s, sent_at = %s WHERE id = %s",
            [state, again, now if outcome == "sent" else None, notification.id],
        )
        connection.execute(
            "INSERT INTO delivery (notification_id, at, outcome, reason) VALUES (%s, %s, %s, %s)",
            [notification.id, now, outcome, reason],
        )


def tell(
    database: Database, channels: Sequence[str], text: tuple[str, str], identity: str, now: datetime
) -> int:
    """Put a text that is of no alert into the outbox, once for each channel.

    Args:
        database: The database.
        channels: Where to.
        text: Its subject line and its body.
        identity: The idempotency key: a text of the same one is queued once.
        now: The moment.

    Returns:
        How many notifications are new.
    """
    title, body = text
    new = 0
    with database.transaction() as connection:
        for channel in channels:
            new += connection.execute(
                "INSERT INTO notification (channel, title, body, identity, state, not_before) "
                "VALUES (%s, %s, %s, %s, 'waiting', %s) ON CONFLICT (identity) DO NOTHING",
                [channel, title, body, f"{identity}:{channel}", now],
            ).rowcount
    return new


def begin_trial(
    database: Database, channel: str, text: tuple[str, str], identity: str, now: datetime
) -> Notification:
    """A notification of no alert, to be sent at once by the caller alone.

    Args:
        database: The database.
        channel: Where to.
        text: Its subject line and its body.
        identity: A name of its own.
        now: The moment.
    """
    title, body = text
    with database.transaction() as connection:
        row = connection.execute(
            "INSERT INTO notification (channel, title, body, identity, state, attempts, "
            "not_before) VALUES (%s, %s, %s, %s, 'sending', %s, %s) RETURNING id",
            # Whoever tries a channel wants to know now, not in an hour: it is the last attempt.
            [channel, title, body, identity, ATTEMPTS, now],
        ).fetchone()
    if row is None:
        raise RuntimeError("an insertion that returns its row returned none")
    return Notification(row[0], channel, title, body, ATTEMPTS)


def notifications(database: Database, count: int = 100) -> list[LoggedNotification]:
    """The last notifications and what became of them, the latest first."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(LoggedNotification)) as cursor,
    ):
        return cursor.execute(_LOG, [count]).fetchall()
