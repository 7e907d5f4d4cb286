"""A text that is of no alert goes out once for each channel, however often it is told."""

from __future__ import annotations

from datetime import UTC, datetime

from database.alerts.outbox import notifications, tell
from database.connection import Database

NOW = datetime(2026, 1, 5, 23, tzinfo=UTC)


def test_each_channel_is_told_once(database: Database) -> None:
    text = ("Summary", "All is well.")
    assert tell(database, ["mail", "desk"], text, "daily-summary:2026-01-05", NOW) == 2
    assert tell(database, ["mail", "desk", "new"], text, "daily-summary:2026-01-05", NOW) == 1
    assert {(n.channel, n.state) for n in notifications(database)} == {
        ("mail", "waiting"), ("desk", "waiting"), ("new", "waiting"),
    }  # fmt: skip
