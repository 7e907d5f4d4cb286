"""The whole process over real HTTP: Alpaca's stand-in, a real bus, a real database, kill -9."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from database.connection import Database
from database.orders.events import order_named
from database.orders.intents import intent_names
from database.orders.ledger import read_ledger
from database.orders.standing import read_standing
from live.bus.opening import open_bus
from live.bus.port import Bus
from tests.adapters.alpaca_trading import KEY_ID, SECRET, Fault, Json, TradingBooks
from tests.adapters.alpaca_trading_server import TradingServer, until_listening
from tests.waiting import wait_until
from trading.events import BarClosed, SignalMade, Stream
from trading.portfolio.ledger import EventKind

ACCOUNT = "a"
HOUR = 3600 * 10**9


class Session:
    """A process that trades at a broker, and what a test sees of both.

    Attributes:
        database: The books.
        server: The broker.
        bus: Where bars and signals go.
    """

    def __init__(
        self, database: Database, server: TradingServer, bus: Bus, environment: dict[str, str],
        log: Path,
    ) -> None:  # fmt: skip
        self.database, self.server, self.bus = database, server, bus
        self._environment, self.log = environment, log
        self._process: subprocess.Popen[bytes] | None = None
        self._bars = 0

    def start(self) -> None:
        """Start it, and wait until its books agree with the broker's."""
        before = self.agreed
        command = [
            sys.executable, "-m", "tests.live.executor.open_all_day", "live", "executor",
            "--symbols", "AAPL,MSFT", "--strategy", "rsi_reversion", "--interval", "1h",
            "--broker", "alpaca", "--account", ACCOUNT,
        ]  # fmt: skip
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, stderr=log, stdout=log)
        wait_until(lambda: self.agreed > before or self.ended, "the books agree")
        assert not self.ended, self.log.read_text()
        until_listening(self.server)

    @property
    def ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None

    def kill(self) -> None:
        """End it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def signal(self, symbol: str, word: str) -> None:
        """Have a bar of 100 dollars close now, and its signal come."""
        self._bars += 1
        now = time.time_ns()
        bar = BarClosed(symbol, "1h", now - HOUR, *(100.0,) * 4, 1e6, now)
        made = SignalMade("rsi_reversion", "f", symbol, "1h", bar.ts, word, 100.0, now)  # type: ignore[arg-type]
        self.bus.publish(Stream.BARS, symbol, bar)
        self.bus.publish(Stream.SIGNALS, symbol, made)

    @property
    def agreed(self) -> int:
        row = self.database.rows.execute(
            "SELECT count(*) FROM reconciliation WHERE agreed"
        ).fetchone()
        return int(row[0]) if row else 0

    @property
    def books(self) -> TradingBooks:
        return self.server.books

    def states(self) -> dict[str, tuple[str, Decimal]]:
        """State and filled quantity of all our orders."""
        found = {}
        for name in intent_names(self.database, ACCOUNT):
            order = order_named(self.database, ACCOUNT, name)
            assert order is not None
            found[name] = order.status.state.value, order.status.filled
        return found

    def until(self, *states: str) -> None:
        wait_until(
            lambda: sorted(state for state, _ in self.states().values()) == sorted(states),
            f"the orders are {states}",
        )


@pytest.fixture
def session(
    database: Database,
    database_url: str,
    bus_url: str,
    tmp_path: Path,
) -> Iterator[Session]:
    with ExitStack() as stack:
        books = TradingBooks(lambda: datetime.now(UTC), cash=Decimal(100_000))
        server = stack.enter_context(TradingServer(books).running())
        bus = stack.enter_context(open_bus(bus_url))
        environment = os.environ | {
            "TRADING_DATABASE_URL": database_url,
            "TRADING_BUS_URL": bus_url,
            "TRADING_SERVER_DIR": str(tmp_path / "server"),
            "TRADING_ALPACA_KEY_ID": KEY_ID,
            "TRADING_ALPACA_SECRET_KEY": SECRET,
            "TRADING_ALPACA_TRADING_URL": server.url,
        }
        opened = Session(database, server, bus, environment, tmp_path / "log")
        stack.callback(opened.kill)
        yield opened


def only(orders: list[Json]) -> Json:
    [order] = orders
    return order


@contextmanager
def twice(server: TradingServer) -> Iterator[None]:
    """Each message of the stream comes twice."""
    server.copies = 2
    yield
    server.copies = 1


@pytest.mark.slow
def test_a_session_with_lost_replies_limits_duplicates_and_kills(session: Session) -> None:
    books = session.books
    session.start()

    # The reply is lost after the order landed: it is looked up, not sent again.
    books.post_faults.append(Fault.REPLY_LOST)
    session.signal("AAPL", "buy")
    session.until("ACCEPTED")
    assert len(books.posted) == 1
    with twice(session.server):
        for quantity in (1, 200, 10_000):
            books.fill(only(books.open()), Decimal(quantity), Decimal("100.5"))
    session.until("FILLED")

    # 429, so that nothing landed; then 504, though it did.
    books.post_faults.extend([Fault.RATE, Fault.GATEWAY])
    session.signal("MSFT", "buy")
    session.until("FILLED", "ACCEPTED")
    assert not books.post_faults
    assert len(books.posted) == 2  # the first did not get there
    books.fill(only(books.open()), Decimal(7), Decimal(100))
    session.until("FILLED", "PARTIALLY_FILLED")

    # Killed while an order is on its way; the rest of another one fills while nobody listens.
    sent = len(books.posted)
    books.post_faults.append(Fault.HANG)
    session.signal("AAPL", "sell")
    wait_until(lambda: len(books.posted) > sent, "the order is sent")
    session.kill()
    for order in books.open():
        books.fill(order, Decimal(order["qty"]), Decimal(101))
    session.start()
    session.until("FILLED", "FILLED", "FILLED")
    assert len(set(books.posted)) == 3

    # The stream breaks, and an order ends before it is back.
    session.signal("MSFT", "sell")
    session.until("FILLED", "FILLED", "FILLED", "ACCEPTED")
    before = session.agreed
    session.server.drop_streams()
    books.fill(only(books.open()), Decimal(10_000), Decimal(99))
    session.until("FILLED", "FILLED", "FILLED", "FILLED")
    wait_until(lambda: session.agreed > before, "the books agree again")
    assert_same(session)


def assert_same(session: Session) -> None:
    """Orders, fills, positions and cash are the broker's, and nothing had to be made up."""
    books, database = session.books, session.database
    theirs = {o["client_order_id"]: Decimal(o["filled_qty"]) for o in books.orders.values()}
    assert {name: filled for name, (_, filled) in session.states().items()} == theirs
    now = read_standing(database, ACCOUNT)
    assert {p.symbol: p.quantity for p in now.positions} == {
        symbol: quantity for symbol, quantity in books.positions.items() if quantity
    }
    assert now.cash == books.cash
    kinds = {event.kind for event in read_ledger(database, ACCOUNT)}
    assert kinds == {EventKind.DEPOSIT, EventKind.FILL}
    assert SECRET not in session.log.read_text()
