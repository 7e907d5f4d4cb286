"""What the executor costs: signal to submitted order, and a start with a long history.

    uv run python -m benchmarks.executor

Our own time alone: the broker answers within the process and at once, while the database is a
real Postgres on this machine. CPU seconds are of this process and of Postgres.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Literal

import numpy as np

from adapters.brokers.paper import PaperBroker, Terms
from benchmarks.measuring import cpu_seconds
from database.alerts.telling import Addressees
from database.connection import Database, open_database
from database.orders.accounts import ensure_account
from database.orders.events import record_events, record_intent
from database.schema import upgrade_schema
from live.executor.books import Books
from live.executor.executor import Executor
from live.executor.policy import Policy
from servers.postgres.local import local_postgres
from trading.backtest.assumptions import Assumptions
from trading.bars.intervals import Interval
from trading.events import BarClosed, SignalMade
from trading.execution.hours import TradingHours
from trading.execution.intent import Intent
from trading.instruments.calendar import sessions
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.model import Order, OrderType, Side

MINUTE = 60 * 10**9
SYMBOLS = tuple(f"S{number}" for number in range(50))


class Clock:
    """The time, as the benchmark sets it."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """The time."""
        return self.now


def executor_of(database: Database, account: str, clock: Clock) -> Executor:
    """A started executor of 50 symbols on paper."""
    hours = TradingHours.of(sessions(date(2024, 1, 1), date(2024, 12, 31)))
    policy = Policy(
        account=account, strategy="given", interval=Interval.MINUTE, symbols=SYMBOLS,
        costs=Assumptions().costs(), capital=Decimal(1_000_000),
    )  # fmt: skip
    terms = Terms(costs=policy.costs, interval=policy.interval, hours=hours, increments={})

    def broker_of(books: Books) -> PaperBroker:
        return PaperBroker(books.ledger, books.desk.working.values(), terms, clock(), books.seen)

    executor = Executor(database, policy, hours, broker_of, clock, addressees=Addressees())
    executor.start()
    return executor


def signal_to_order(database: Database, signals: int) -> list[float]:
    """Seconds from a signal's arrival until its order is sent and written down, one by one."""
    ensure_account(database, "latency", "paper", is_live=False)
    start = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    clock = Clock(start)
    executor = executor_of(database, "latency", clock)
    taken = []
    for number in range(signals):
        ts = int(start.timestamp()) * 10**9 + number // len(SYMBOLS) * MINUTE
        symbol = SYMBOLS[number % len(SYMBOLS)]
        available = ts + MINUTE
        clock.now = datetime.fromtimestamp(available / 1e9, UTC)
        bar = BarClosed(symbol, "1m", ts, 100.0, 100.0, 100.0, 100.0, 1e6, available)
        executor.handle([bar], [])
        word: Literal["buy", "sell"] = "buy" if number // len(SYMBOLS) % 2 == 0 else "sell"
        signal = SignalMade("given", "f", symbol, "1m", ts, word, 100.0, available)
        before = time.perf_counter()
        executor.handle([], [signal])
        taken.append(time.perf_counter() - before)
    return taken


def write_history(database: Database, ended: int, working: int) -> None:
    """Write orders that have filled, and orders that work."""
    ensure_account(database, "history", "paper", is_live=False)
    start = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
    with database.transaction() as connection:
        for number in range(ended + working):
            at = start + timedelta(seconds=number)
            order = Order(
                client_order_id=f"h{number}", symbol=SYMBOLS[number % len(SYMBOLS)],
                side=Side.BUY if number % 2 else Side.SELL, quantity=Decimal(10),
                type=OrderType.LIMIT, price=Decimal(90), strategy="given",
            )  # fmt: skip
            intent = Intent(
                account="history", order=order, interval="1m",
                bar=int(at.timestamp()) * 10**9, created_at=at,
            )  # fmt: skip
            kinds = (OrderEventKind.INITIALIZED, OrderEventKind.SUBMITTED, OrderEventKind.ACCEPTED)
            events = [OrderEvent(kind=kind, at=at) for kind in kinds]
            if number < ended:
                events.append(
                    OrderEvent(
                        kind=OrderEventKind.FILL, at=at, execution_id=f"x{number}",
                        quantity=Decimal(10), price=Decimal(90),
                    )
                )  # fmt: skip
            record_events(connection, record_intent(connection, intent, events[:2]), events[2:])


def newest_transaction(database: Database) -> int:
    """The number of a transaction that begins now; only those that write have one."""
    row = database.rows.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--signals", type=int, default=1_000)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--open", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, local_postgres(Path(folder) / "p") as server:
        upgrade_schema(server.url)
        with open_database(server.url) as database:
            taken = signal_to_order(database, asked.signals)
            write_history(database, asked.orders, asked.open)
            clock = Clock(datetime(2024, 1, 2, 18, tzinfo=UTC))
            number = newest_transaction(database)
            before, spent = time.perf_counter(), cpu_seconds(os.getpid())
            executor = executor_of(database, "history", clock)
            started = time.perf_counter() - before
            spent = cpu_seconds(os.getpid()) - spent
            writes = newest_transaction(database) - number - 1
    found = {
        "signals": asked.signals,
        "signal_to_order_ms": {
            "p50": round(statistics.median(taken) * 1e3, 2),
            "p99": round(float(np.quantile(taken, 0.99)) * 1e3, 2),
        },
        "start": {
            "orders": asked.orders, "open": len(executor.books.desk.working),
            "seconds": round(started, 2), "cpu_seconds": round(spent, 2),
            "transactions_that_write": writes,
        },
    }  # fmt: skip
    json.dump(found, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
