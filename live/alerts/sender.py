"""Sends what the outbox holds: one process at a time, each notification at most once."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import UTC, datetime

from adapters.notifications.protocol import Channel
from database.alerts.locks import become_sender
from database.alerts.outbox import claim_notification, note_outcome, resolve_unknown
from database.connection import Database

PER_MINUTE = 20
"""Most notifications that a channel gets within a minute."""

logger = logging.getLogger(__name__)


class NotificationSender:
    """The sender; a second one waits until the first one's connection has ended.

    Args:
        database: The database; for this object alone.
        channels: Where notifications go, by name.
        per_minute: Most attempts that a channel gets within a minute.
    """

    def __init__(
        self, database: Database, channels: Mapping[str, Channel], per_minute: int = PER_MINUTE
    ) -> None:
        self._database = database
        self._channels = dict(channels)
        self._per_minute = per_minute
        self._is_sender = False

    def send_due(self) -> int:
        """Send what is due; how many attempts that took.

        Raises:
            DatabaseError: The outcome of an attempt could not be noted: it will be unknown.
        """
        if not self._is_sender and not self._start():
            return 0
        attempts = 0
        while self._send_next():
            attempts += 1
        return attempts

    def _start(self) -> bool:
        """Take the place of the sender, when it is free."""
        self._is_sender = become_sender(self._database)
        if self._is_sender and (lost := resolve_unknown(self._database, datetime.now(UTC))):
            logger.warning(
                "%d notifications were being sent when the sender ended; whether they arrived is "
                "unknown, and they are not sent again: see trading alerts log",
                lost,
            )
        return self._is_sender

    def _send_next(self) -> bool:
        names = tuple(self._channels)
        now = datetime.now(UTC)
        notification = claim_notification(self._database, names, self._per_minute, now)
        if notification is None:
            return False
        delivery = self._channels[notification.channel].send(notification.title, notification.body)
        now = datetime.now(UTC)
        note_outcome(self._database, notification, delivery.outcome, delivery.reason, now)
        if delivery.outcome != "sent":
            logger.warning(
                "Notification %d to %s was %s: %s",
                notification.id, notification.channel, delivery.outcome, delivery.reason,
            )  # fmt: skip
        return True

    def run(self, stop: threading.Event, pause_seconds: float = 0.5) -> None:
        """Send until told to stop, in a thread of its own."""
        while not stop.is_set():
            self.send_due()
            stop.wait(pause_seconds)
