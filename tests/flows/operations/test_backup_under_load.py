"""A backup made while everything writes, restored into a server that has nothing."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.notifications.protocol import Delivery
from database.alerts.outbox import notifications
from database.alerts.rules import put_rule
from database.alerts.telling import Addressees
from database.connection import Database, open_database
from database.live.bars import save_live_bars
from database.orders.events import order_named
from database.orders.intents import intent_names
from database.orders.ledger import read_ledger
from flows.loading.loading import load_lake
from flows.operations.backing_up import Databases, back_up, fill
from live.alerts.ports import BusEnds
from live.alerts.sender import NotificationSender
from live.alerts.watch import AlertWatch, WatchOptions
from servers.postgres.local import local_postgres
from storage.directory import open_directory
from tests.database.conftest import (
    database_url,
    migrated_database,
    postgres,
)
from tests.flows.loading.bronze import columns, minutes, put
from tests.lake.bronze.deliveries import Lake
from tests.live.alerts.kept_events import KeptEvents, Published
from tests.live.executor.test_parity import ROWS, SYMBOLS, by_row, market, signals_of
from tests.live.executor.world import World, hours_of, policy_of, walk
from tests.trading.alerts.given import bar
from tests.trading.backtest.markets import clock_of
from tests.waiting import wait_until
from trading.alerts.rules import alert_rule
from trading.bars.intervals import Interval
from trading.portfolio.account import Account
from trading.portfolio.ledger import EventKind, LedgerEvent

__all__ = ["database_url", "migrated_database", "postgres"]

pytestmark = pytest.mark.slow

MOMENT = datetime(2026, 1, 5, 18, tzinfo=UTC)
DAYS = (date(2024, 1, 3), date(2024, 1, 4))
CHOSEN = {Interval.MINUTE: {"AAPL": ["polygon"]}}
YEARS = 100


@dataclass
class Writers:
    """Threads that write until they are told to stop, and what each has done.

    Attributes:
        done: How often each has written.
        accounts: The accounts in which the executor has traded.
        told: Titles that the notification channel got.
    """

    url: str
    stop: threading.Event = field(default_factory=threading.Event)
    done: dict[str, int] = field(default_factory=dict)
    accounts: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    @contextmanager
    def running(self) -> Iterator[None]:
        jobs = {"ledger": self._trade, "bars": self._store_bars, "alerts": self._tell}
        self.done = dict.fromkeys(jobs, 0)
        threads = [
            threading.Thread(target=self._guarded, args=(name, job)) for name, job in jobs.items()
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()
        assert self.failures == []

    def go_on(self, times: int) -> None:
        """Return when each has written so many times more."""
        wanted = {name: count + times for name, count in self.done.items()}

        def all_have() -> bool:
            assert self.failures == []
            return all(self.done[name] >= count for name, count in wanted.items())

        wait_until(all_have, f"all write on: {self.done}")

    def _guarded(self, name: str, job: Callable[[Database], Iterator[None]]) -> None:
        try:
            with open_database(self.url) as database:
                for _ in job(database):
                    self.done[name] += 1
                    if self.stop.is_set():
                        return
        except BaseException as error:  # noqa: BLE001 - for the test to see
            self.failures.append(error)

    def _trade(self, database: Database) -> Iterator[None]:
        """One account after the other trades the same market on paper, bar by bar."""
        starts = clock_of(ROWS).starts.tolist()
        for number in itertools.count():
            rows, signals = market(number), by_row(signals_of(number))
            account = f"paper-{number}"
            world = World(database, policy_of(account, SYMBOLS), hours_of(ROWS))
            executor = world.executor()
            self.accounts.append(account)
            for at, start in enumerate(starts):
                walk(
                    world, executor, {s: bars[at : at + 1] for s, bars in rows.items()}, [start],
                    {0: signals[at]},
                )  # fmt: skip
                yield

    def _store_bars(self, database: Database) -> Iterator[None]:
        for number in itertools.count():
            save_live_bars(database, [bar(number, 100.0 + number % 7, "ZZZ")])
            yield

    def _tell(self, database: Database) -> Iterator[None]:
        """A price crosses its level with each bar; every alert goes through the outbox."""
        high = {"name": "high", "kind": "price_above", "level": 100}
        put_rule(database, alert_rule(high), "api", "k")
        bars = KeptEvents([])
        options = WatchOptions(addressees=Addressees(("desk",)), wait_seconds=0.0)
        watch = AlertWatch(database, BusEnds([bars], Published()), options)
        sender = NotificationSender(database, {"desk": _Desk(self.told)}, per_minute=10**6)
        for number in itertools.count():
            bars.events = [*bars.events, bar(number, 99.0 + 2 * (number % 2))]
            watch.step()
            sender.send_due()
            yield


@dataclass
class _Desk:
    """A channel that takes everything."""

    told: list[str]
    name: str = "desk"

    def send(self, title: str, body: str) -> Delivery:
        del body
        self.told.append(title)
        return Delivery("sent")


def test_what_is_restored_is_whole_and_goes_on(database_url: str, tmp_path: Path) -> None:
    """Rows are counted at the moment of the dump."""
    lake = Lake(tmp_path / "lake")
    put(lake, minutes(DAYS[0]), "20240103", interval=Interval.MINUTE)
    with open_database(database_url) as database:
        assert load_lake(database, lake.directory, CHOSEN, YEARS).failures == []
    place = open_directory(str(tmp_path / "backups"), "to")
    writers = Writers(database_url)
    with writers.running():
        writers.go_on(40)
        made = back_up(Databases(trading=database_url, prefect=None), place, MOMENT,
                       verify_on=database_url)  # fmt: skip
        writers.go_on(10)
    assert made.manifest.verified_at is not None
    with ExitStack() as stack:
        server = stack.enter_context(local_postgres(tmp_path / "other", {"fsync": "off"}))
        fill(Databases(trading=server.url, prefect=None), place, made)
        restored = stack.enter_context(open_database(server.url))
        before = stack.enter_context(open_database(database_url))
        check_ledgers(restored, before, writers.accounts)
        check_alerts(restored, writers.told)
        check_bars(restored, lake)


def check_ledgers(restored: Database, before: Database, accounts: list[str]) -> None:
    """Each account's books are those of one moment, agree with its orders, and can be gone on."""
    found = [(name, read_ledger(restored, name)) for name in accounts]
    found = [(name, ledger) for name, ledger in found if ledger]
    assert found
    for name, ledger in found:
        assert ledger == read_ledger(before, name)[: len(ledger)], "a beginning of what followed"
        account = Account.of(ledger)
        profit = account.realized + account.unrealized - account.fees
        assert account.equity - account.deposits == profit
        filled = _filled(ledger)
        names = intent_names(restored, name)
        assert set(filled) <= names
        for order in names:
            own = order_named(restored, name, order)
            assert own is not None
            assert own.status.filled == filled.get(order, Decimal(0))
            assert sum((f.quantity for f in own.status.fills), Decimal(0)) == own.status.filled
    assert any(_filled(ledger) for _, ledger in found)
    last = found[-1][0]
    world = World(restored, policy_of(last, SYMBOLS), hours_of(ROWS))
    world.clock.at = int(clock_of(ROWS).ends[-1])
    assert world.executor().reconcile("command")


def _filled(ledger: list[LedgerEvent]) -> dict[str, Decimal]:
    """Shares by order, whatever their side."""
    found: dict[str, Decimal] = {}
    for event in ledger:
        if event.kind is EventKind.FILL:
            shares = abs(Decimal(event.quantity)) / 10**9
            found[event.order_id] = found.get(event.order_id, Decimal(0)) + shares
    return found


def check_alerts(restored: Database, told: list[str]) -> None:
    """Each alert has its notification, and what was sent was sent once."""
    stored = notifications(restored, 10**6)
    with restored.transaction() as connection:
        row = connection.execute(
            "SELECT count(*), count(DISTINCT n.event_id) FROM alert_event e "
            "LEFT JOIN notification n ON n.event_id = e.id"
        ).fetchone()
    assert row is not None
    assert row[0] == row[1] == len(stored) > 0
    assert len(stored) < len(told), "others came after the backup"
    waiting = [one for one in stored if one.state != "sent"]
    assert len(waiting) <= 1
    assert {one.state for one in waiting} <= {"waiting", "sending"}
    sent: list[str] = []
    sender = NotificationSender(restored, {"desk": _Desk(sent)}, per_minute=10**6)
    sender.send_due()
    assert len(sent) == sum(one.state == "waiting" for one in waiting)
    states = {one.state for one in notifications(restored, 10**6)}
    assert states <= {"sent", "unknown"}


def check_bars(restored: Database, lake: Lake) -> None:
    """What the lake has got since is loaded, and a database without any bar is filled again."""
    first = columns(restored, Interval.MINUTE)
    assert len(first["timestamp"]) == len(minutes(DAYS[0]))
    put(lake, minutes(DAYS[1]), "20240104", interval=Interval.MINUTE)
    totals = load_lake(restored, lake.directory, CHOSEN, YEARS)
    assert (totals.failures, totals.up_to_date, totals.loaded) == ([], 1, 1)
    whole = columns(restored, Interval.MINUTE)
    with restored.transaction() as connection:
        connection.execute("TRUNCATE bar_1m, load_run CASCADE")
    assert columns(restored, Interval.MINUTE)["timestamp"] == []
    totals = load_lake(restored, lake.directory, CHOSEN, YEARS)
    assert (totals.failures, totals.loaded) == ([], 2)
    assert columns(restored, Interval.MINUTE) == whole
    assert len(whole["timestamp"]) == sum(len(minutes(day)) for day in DAYS)
