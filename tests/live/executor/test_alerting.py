"""What the executor tells people of by itself: by mail and on the bus, once each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from pydantic import SecretStr

from adapters.notifications.apprise_channel import channels
from database.alerts.addressees import addressees_told
from database.alerts.outbox import notifications
from database.alerts.telling import Addressees
from database.connection import Database
from database.errors import DatabaseError
from database.live.heartbeats import beat
from database.orders.risk import halt, read_risk
from live.alerts.ports import BusEnds
from live.alerts.sender import NotificationSender
from live.alerts.watch import AlertWatch, WatchOptions
from live.executor.executor import Executor
from tests.adapters.alpaca_trading import Json
from tests.adapters.notifications.receivers import Mailbox, smtp_server
from tests.live.alerts.kept_events import Published
from tests.live.executor.alpaca import Side
from tests.live.executor.test_crashes import fills, see, states, world_of
from tests.live.executor.world import World
from trading.events import AlertChanged

MAIL = Addressees(("mail",))
FLAG_MAIL = "[warning] order-flag firing: a"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as running:
        yield running


@pytest.fixture
def world(database: Database) -> tuple[World, Side]:
    made, side = world_of(database)
    made.addressees = MAIL
    return made, side


def sent(database: Database, mailbox: Mailbox) -> list[str]:
    """The subjects of all mails that have arrived once the outbox is empty."""
    NotificationSender(database, channels({"mail": SecretStr(mailbox.url)})).send_due()
    assert {own.state for own in notifications(database)} <= {"sent"}
    return mailbox.subjects


def ordered(world: World, side: Side) -> tuple[Executor, Json]:
    """An executor with an order at the broker."""
    executor = world.executor()
    see(world, executor, 0, "buy")
    executor.receive()
    [order] = side.theirs.open()
    return executor, order


def test_an_order_that_somebody_must_look_at_is_mailed_and_published_once(
    world: tuple[World, Side], database: Database, mailbox: Mailbox
) -> None:
    trading, side = world
    executor, order = ordered(trading, side)
    assert sent(database, mailbox) == []
    side.theirs.puzzle(order)
    for _ in range(2):
        executor.receive()
        executor.reconcile("schedule")
        assert sent(database, mailbox) == [FLAG_MAIL]
        executor = trading.executor()
    side.theirs.clear_up()
    # It ends, and what fills after that is another thing to look at.
    side.theirs.end(order, "canceled")
    executor.receive()
    trading.clock.tick(5)
    order["status"] = "new"  # the broker takes the end back
    side.theirs.fill(order, Decimal(100), Decimal(100))
    executor.receive()
    executor.reconcile("schedule")
    assert fills(database) == [100]
    assert sent(database, mailbox) == [FLAG_MAIL, FLAG_MAIL]
    unknown, late = trading.flagged
    assert unknown.endswith("and counts as alive (UNKNOWN_STATE).")
    assert late.endswith("of AAPL filled after its end, and the fill is booked (LATE_FILL).")
    published = Published()
    watch = AlertWatch(database, BusEnds([], published), WatchOptions(addressees=MAIL))
    assert (watch.step(), watch.step()) == (2, 0)
    told = [e for e in published.events if isinstance(e, AlertChanged)]
    assert [(e.rule, e.subject, e.message) for e in told] == [
        ("order-flag", "a", unknown), ("order-flag", "a", late),
    ]  # fmt: skip


def test_an_executor_that_knows_no_channel_tells_those_of_the_process_that_sends(
    world: tuple[World, Side], database: Database, mailbox: Mailbox
) -> None:
    trading, side = world
    trading.addressees = Addressees()
    executor, order = ordered(trading, side)
    told = addressees_told(["mail"], None)
    beat(database, "alerts", "one", started_at=datetime.now(UTC), state="running", detail=told)
    side.theirs.puzzle(order)
    executor.receive()
    assert sent(database, mailbox) == [FLAG_MAIL]


def test_an_order_s_flag_and_its_alert_are_stored_together_or_not_at_all(
    world: tuple[World, Side], database: Database, mailbox: Mailbox
) -> None:
    trading, side = world
    executor, order = ordered(trading, side)
    side.theirs.puzzle(order)
    database.rows.execute("ALTER TABLE notification ADD CONSTRAINT full_disk CHECK (id < 0)")
    with pytest.raises(DatabaseError):
        executor.receive()
    assert trading.flagged == []
    known = database.rows.execute("SELECT FROM order_event WHERE kind = 'unknown'").fetchall()
    assert known == []
    database.rows.execute("ALTER TABLE notification DROP CONSTRAINT full_disk")
    # The process ended by that, and the next ones ask the broker.
    for _ in range(2):
        trading.executor()
        assert len(trading.flagged) == 1
    assert sent(database, mailbox) == [FLAG_MAIL]
    assert states(database) == ["ACCEPTED"]


def test_a_halt_that_is_done_is_mailed_with_the_state_that_says_so(
    world: tuple[World, Side], database: Database, mailbox: Mailbox
) -> None:
    trading, side = world
    executor, _ = ordered(trading, side)
    halt(database, "a", who="me", why="too hot", closes_positions=True)
    database.rows.execute("ALTER TABLE notification ADD CONSTRAINT full_disk CHECK (id < 0)")
    with pytest.raises(DatabaseError):
        executor.tick()
    assert read_risk(database, "a").shown == "HALTING"
    database.rows.execute("ALTER TABLE notification DROP CONSTRAINT full_disk")
    executor = trading.executor()
    for _ in range(3):
        executor.tick()
    assert read_risk(database, "a").shown == "HALTED"
    assert trading.halted == ["Account a is HALTED: too hot."]
    assert sent(database, mailbox) == ["[critical] risk-state firing: a"]
