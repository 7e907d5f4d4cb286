"""One notification per transition, whenever the process is killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from database.alerts.outbox import notifications
from database.alerts.rules import put_rule
from database.connection import Database
from tests.adapters.notifications.receivers import Webhook, webhook
from tests.live.alerts.alerting_process import LEVEL, bars
from tests.waiting import wait_until
from trading.alerts.rules import alert_rule

ABOVE = alert_rule({"name": "high", "kind": "price_above", "level": LEVEL, "remind_seconds": None})
SETTLED = {"sent", "unknown"}


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as running:
        yield running


def started(database_url: str, hook: Webhook) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.live.alerts.alerting_process", database_url]
    return subprocess.Popen([*command, hook.url.replace("rto=0.3", "rto=60")])


def transitions() -> int:
    """How often the closes go from one side of the level to the other, by a plain loop."""
    sides = [bar.close > LEVEL for bar in bars()]
    first = sides.index(False)
    return sum(a != b for a, b in zip(sides[first:], sides[first + 1 :], strict=False))


def finish(database: Database, database_url: str, hook: Webhook) -> None:
    """Let the process come to its end."""
    process = started(database_url, hook)
    wait_until(lambda: _is_all_settled(database), "every transition to be settled")
    process.send_signal(signal.SIGTERM)
    # When nothing was left, it may not have come so far as to look for the signal.
    assert process.wait() in (0, -signal.SIGTERM)


def _is_all_settled(database: Database) -> bool:
    states = [notification.state for notification in notifications(database, 1000)]
    return len(states) == transitions() and set(states) <= SETTLED


def assert_told_once(database: Database, hook: Webhook) -> None:
    """At most once each, exactly once where the log says so, and in order."""
    arrived = [body["message"] for body in hook.bodies]
    assert set(Counter(arrived).values()) == {1}
    log = list(reversed(notifications(database, 1000)))
    sent = {entry.body for entry in log if entry.state == "sent"}
    lost = {entry.body for entry in log if entry.state == "unknown"}
    assert sent <= set(arrived) <= sent | lost
    assert arrived == [entry.body for entry in log if entry.body in set(arrived)]


def test_what_arrived_just_before_the_process_was_killed_does_not_arrive_again(
    database: Database, database_url: str, hook: Webhook
) -> None:
    put_rule(database, ABOVE, "command", "me")
    processes: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        # The other side has it, and the process has not heard so.
        if len(hook.bodies) in (1, 4):
            processes[-1].kill()
            processes[-1].wait()

    hook.on_request = kill
    for killed in (1, 2):
        processes.append(started(database_url, hook))
        wait_until(lambda: processes[-1].poll() is not None, f"kill {killed}")
        assert processes[-1].returncode == -signal.SIGKILL
    finish(database, database_url, hook)
    assert_told_once(database, hook)
    states = Counter(entry.state for entry in notifications(database, 1000))
    assert states == {"unknown": 2, "sent": transitions() - 2}
    assert len(hook.bodies) == transitions()


@pytest.mark.slow
def test_a_process_that_is_killed_twenty_times_at_random_tells_each_transition_once(
    database: Database, database_url: str, hook: Webhook
) -> None:
    put_rule(database, ABOVE, "command", "me")
    generator = random.Random(3)  # noqa: S311 - no secret
    processes: list[subprocess.Popen[bytes]] = []
    is_held = threading.Event()

    def hold_some() -> None:
        # Kills find these on their way.
        if generator.randrange(3) == 0:
            is_held.set()
            processes[-1].wait()

    hook.on_request = hold_some
    for _ in range(20):
        is_held.clear()
        processes.append(started(database_url, hook))
        _wait_for_more(database, hook, generator.randrange(3), is_held)
        processes[-1].kill()
        processes[-1].wait()
    hook.on_request = lambda: None
    finish(database, database_url, hook)
    assert_told_once(database, hook)


def _wait_for_more(database: Database, hook: Webhook, count: int, is_held: threading.Event) -> None:
    """Wait for some more requests, or for one that is not answered."""
    wanted = len(hook.bodies) + count
    wait_until(
        lambda: len(hook.bodies) >= wanted or is_held.is_set() or _is_all_settled(database),
        "a few more",
    )
