"""The alerts process: it watches in one thread and sends in another.

A slow channel must not hold up the watch, and a burst of bars must not hold up a notification.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from adapters.notifications.protocol import Channel
from database.connection import open_database
from live.alerts.ports import BusEnds
from live.alerts.sender import PER_MINUTE, NotificationSender
from live.alerts.watch import AlertWatch, WatchOptions


def run_alerts(
    database_url: str,
    bus: BusEnds,
    channels: Mapping[str, Channel],
    options: WatchOptions,
    stop: threading.Event,
    *,
    per_minute: int = PER_MINUTE,
    turned: Callable[[], object] = lambda: None,
) -> None:
    """Watch and send until told to stop.

    Args:
        database_url: The database.
        bus: What is read and where alerts go.
        channels: Where notifications go, by name.
        options: How to watch.
        stop: Set by whoever wants it to end.
        per_minute: Most attempts that a channel gets within a minute.
        turned: Told after each turn of the watch, in this thread.

    Raises:
        DatabaseError: The database is gone; started again, the process goes on where it was.
        Exception: What else stopped the watch or the sender.
    """
    failures: list[Exception] = []

    def send() -> None:
        try:
            with open_database(database_url) as database:
                NotificationSender(database, channels, per_minute).run(stop)
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            failures.append(error)
            stop.set()

    sender = threading.Thread(target=send, name="notifications")
    sender.start()
    try:
        with open_database(database_url) as database:
            watch = AlertWatch(database, bus, options)
            while not stop.is_set():
                watch.step()
                turned()
    finally:
        stop.set()
        sender.join()
    if failures:
        raise failures[0]
