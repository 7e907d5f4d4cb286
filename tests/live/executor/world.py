"""A market, a clock and executors in one process, for tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from adapters.brokers.paper import PaperBroker, Terms
from adapters.brokers.protocol import Broker
from database.alerts.log import alert_events
from database.alerts.telling import Addressees
from database.connection import Database
from database.orders.accounts import BrokerName, ensure_account
from live.executor.books import Books
from live.executor.executor import Executor, no_step
from live.executor.policy import Policy
from tests.trading.backtest.markets import HOUR, START, Row
from trading.bars.intervals import Interval
from trading.events import BarClosed, SignalMade
from trading.execution.hours import TradingHours
from trading.orders.fills import Costs

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = 24 * HOUR
STRATEGY, FINGERPRINT = "given", "f1"


def hours_of(days: int, per_session: int = 7) -> TradingHours:
    """Sessions of so many hourly bars, one each day."""
    opens = START + np.arange(days) * DAY
    return TradingHours(opens, opens + per_session * HOUR)


def moment(nanoseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=nanoseconds // 1_000)


@dataclass
class Clock:
    """The time, as the test sets it."""

    at: int = START

    def __call__(self) -> datetime:
        return moment(self.at)

    def tick(self, seconds: float) -> None:
        self.at += int(seconds * 1_000_000_000)


def bar_event(symbol: str, ts: int, row: Row, length: int = HOUR) -> BarClosed:
    opened, high, low, close, volume = row
    return BarClosed(
        symbol=symbol, interval="1h", ts=ts, open=opened, high=high, low=low, close=close,
        volume=volume, available_at=ts + length,
    )  # fmt: skip


def signal_event(
    symbol: str, ts: int, signal: str, close: float, length: int = HOUR, **more: Any
) -> SignalMade:
    return SignalMade(
        strategy=STRATEGY, fingerprint=FINGERPRINT, symbol=symbol, interval="1h", ts=ts,
        signal=signal,  # type: ignore[arg-type]
        close=close, available_at=ts + length, **more,
    )  # fmt: skip


def policy_of(account: str, symbols: Sequence[str], **changed: Any) -> Policy:
    values: dict[str, Any] = {
        "account": account, "strategy": STRATEGY, "interval": Interval.HOUR,
        "symbols": tuple(symbols), "costs": Costs.of(), "capital": Decimal(10_000),
    }  # fmt: skip
    return Policy(**(values | changed))


@dataclass
class World:
    """What stays when an executor dies: the database, the clock, the broker at the other side.

    Attributes:
        database: Where the books are.
        policy: What is traded.
        hours: Of the exchange.
        clock: The time.
        broker: Makes the broker of a new executor; None for the paper broker.
        at_step: Told of each step.
        addressees: Who is told of what a person must look at.
    """

    database: Database
    policy: Policy
    hours: TradingHours
    clock: Clock = field(default_factory=Clock)
    broker: Callable[[Books], Broker] | None = None
    at_step: Callable[[str], None] = no_step
    addressees: Addressees = field(default_factory=Addressees)

    def __post_init__(self) -> None:
        name: BrokerName = "paper" if self.broker is None else "alpaca"
        ensure_account(self.database, self.policy.account, name, is_live=False)

    def executor(self) -> Executor:
        """A new process: it starts from the database and the broker."""
        executor = Executor(
            self.database, self.policy, self.hours, self.broker or self._paper, self.clock,
            addressees=self.addressees, at_step=self._step,
        )  # fmt: skip
        executor.start()
        return executor

    @property
    def halted(self) -> list[str]:
        """What was told of halts that are done, the first one first."""
        return [event.message for event in alert_events(self.database, rule="risk-state")][::-1]

    @property
    def flagged(self) -> list[str]:
        """What was told of orders that a person must look at, the first one first."""
        return [event.message for event in alert_events(self.database, rule="order-flag")][::-1]

    def _step(self, name: str) -> None:
        self.at_step(name)  # as it is by then

    def _paper(self, books: Books) -> PaperBroker:
        return paper_broker(books, self.policy, self.hours, self.clock())


def paper_broker(books: Books, policy: Policy, hours: TradingHours, now: datetime) -> PaperBroker:
    terms = Terms(
        costs=policy.costs, interval=policy.interval, hours=hours, increments=policy.increments
    )
    return PaperBroker(books.ledger, books.desk.working.values(), terms, now, books.seen)


def store_bar(database: Database, bar: BarClosed) -> None:
    """Keep a live bar, as the process does that makes them, before it is told."""
    database.rows.execute(
        "INSERT INTO live_bar (symbol, interval, ts, open, high, low, close, volume, revision, "
        "available_at) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0, %s) ON CONFLICT DO NOTHING",
        [
            bar.symbol, bar.interval, moment(bar.ts), bar.open, bar.high, bar.low, bar.close,
            bar.volume, moment(bar.available_at),
        ],
    )  # fmt: skip


def walk(
    world: World,
    executor: Executor,
    rows: Mapping[str, Sequence[Row | None]],
    starts: Sequence[int],
    signals: Mapping[int, Mapping[str, str]],
) -> None:
    """Have the bars and signals of all rows come as they close."""
    for row, ts in enumerate(starts):
        world.clock.at = ts + HOUR
        own = {symbol: bars[row] for symbol, bars in rows.items() if bars[row] is not None}
        bars = [bar_event(symbol, ts, bar) for symbol, bar in own.items() if bar]
        made = [
            signal_event(symbol, ts, signal, own[symbol][3])  # type: ignore[index]
            for symbol, signal in signals.get(row, {}).items()
            if symbol in own
        ]
        for bar in bars:
            store_bar(world.database, bar)
        executor.handle(bars, made)
        executor.tick()
