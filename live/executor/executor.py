"""The executor of one account: what comes in, and what is done about it.

Bars fill (on paper), mark and are watched; signals become targets, targets become orders through
the gate; the broker's updates become fills. Everything blocks and is in one thread. What is here
may be lost at any moment: a start reads the ledger and asks the broker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from adapters.brokers.errors import BrokerError, OutcomeUnknownError
from adapters.brokers.paper import PaperBroker
from adapters.brokers.protocol import Broker, OrderUpdate, UpdateStream
from database.alerts.telling import Addressees
from database.connection import Database
from live.executor.alerting import AccountAlerts
from live.executor.books import Books
from live.executor.corporate_actions import CorporateActions
from live.executor.halting import Halting
from live.executor.orders.cancellation import Cancellation
from live.executor.orders.decisions import Decisions
from live.executor.orders.submission import Submission
from live.executor.policy import Policy
from live.executor.quantities import bar_units
from live.executor.reconciliation import Reconciliation
from trading.events import BarClosed, SignalMade
from trading.execution.desk import TrackedOrder
from trading.execution.hours import TradingHours
from trading.instruments.clock import nanoseconds_of
from trading.orders.model import Leg
from trading.portfolio.ledger import deposit
from trading.risk.limits import TradingState
from trading.units import to_units

LOG = logging.getLogger(__name__)

RECONNECT_PAUSES = tuple(timedelta(seconds=s) for s in (0, 1, 2, 5, 10, 30))
"""Before the next try to connect to the broker's stream."""


def no_step(name: str) -> None:
    """Nothing: tests end a process here."""


class Executor:
    """Trades for one account; whoever makes it holds the account's lock.

    Args:
        database: Where the books are.
        policy: What it trades and how.
        hours: The exchange's.
        broker_of: Makes the broker of the books as they are.
        now: The time.
        addressees: Who is told of what a person must look at.
        at_step: Told of each step.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        hours: TradingHours,
        broker_of: Callable[[Books], Broker],
        now: Callable[[], datetime],
        *,
        addressees: Addressees,
        at_step: Callable[[str], None] = no_step,
    ) -> None:
        self._policy = policy
        self._hours = hours
        self._now = now
        self._at_step = at_step
        alerts = AccountAlerts(policy.account, addressees)
        self.books = Books(database, policy.account, now, alerts)
        self.broker = broker_of(self.books)
        self._paper = self.broker if isinstance(self.broker, PaperBroker) else None
        self._submission = Submission(self.books, self.broker, now, self._may_send, at_step)
        self._cancellation = Cancellation(self.books, self.broker, now)
        self._reconciliation = Reconciliation(
            database=database,
            account=policy.account,
            books=self.books,
            broker=self.broker,
            submission=self._submission,
            cancellation=self._cancellation,
            now=now,
            told=self._paper,
        )
        self._halting = Halting(
            database=database,
            account=policy.account,
            books=self.books,
            broker=self.broker,
            submission=self._submission,
            cancellation=self._cancellation,
            reconcile=self.reconcile,
            now=now,
            alerts=alerts,
        )
        self._decisions = Decisions(
            policy=policy,
            hours=hours,
            books=self.books,
            submission=self._submission,
            cancellation=self._cancellation,
            now=now,
            reconciling=lambda: self.reconciling,
            at_step=at_step,
        )
        self._actions = CorporateActions(database, policy, hours, self.books, self._cancellation)
        self._limits = policy.live_limits
        self._stream: UpdateStream | None = None
        self._connects = 0
        self._connect_at = self._reconcile_at = now()
        self._last_bar = max((t.bar for t in self.books.targets.values()), default=0)
        self.reconciling = True

    # From outside.

    def start(self) -> None:
        """Open a new account, connect, and make the books agree."""
        self._has_ledger()
        self._connect("start")

    def handle(self, bars: Iterable[BarClosed], signals: Iterable[SignalMade]) -> None:
        """Take what the bus brought: bar by bar, and of each its fills before its signals."""
        own_bars = [b for b in bars if b.interval == self._policy.interval]
        own_signals = [s for s in signals if self._decisions.follows(s)]
        order = {symbol: place for place, symbol in enumerate(self._policy.symbols)}
        timeline: list[tuple[int, int, int, BarClosed | SignalMade]] = [
            *((b.ts, 0, order.get(b.symbol, len(order)), b) for b in own_bars),
            *((s.ts, 1, order.get(s.symbol, len(order)), s) for s in own_signals),
        ]
        timeline.sort(key=lambda item: item[:3])
        for (ts, is_signal), group in groupby(timeline, key=lambda item: item[:2]):
            events = [event for *_, event in group]
            if is_signal:
                for event in events:
                    self._decisions.take(event)  # type: ignore[arg-type]
                self._decisions.make()
            else:
                self._bars(ts, events)  # type: ignore[arg-type]
        self._decisions.make()

    def receive(self, wait_seconds: float = 0.0) -> int:
        """Take what the broker says; how much it was."""
        if self._stream is None:
            self._connect("reconnect")
        if self._stream is None:
            return 0
        try:
            updates = self._stream.receive(wait_seconds)
        except OutcomeUnknownError as error:
            LOG.warning("%s; what was missed is looked up", error)
            self._disconnect()
            return 0
        for update in updates:
            self._update(update)
        if updates:
            self._decisions.make()
        return len(updates)

    def tick(self) -> None:
        """What time brings: outcomes to look up, a person's halt, decisions that waited."""
        if self._paper is not None:
            self._paper.at(self._now())
        self.books.refresh_risk()
        if self._stream is None:
            self._connect("reconnect")
        elif self._now() >= self._reconcile_at:
            self.reconcile("schedule")
        self._submission.resolve()
        self._halting.go_on(self._last_bar)
        self._decisions.make()

    def reconcile(self, cause: str) -> bool:
        """Make the books and the broker's agree; nothing is sent until they do."""
        self.reconciling = True
        if not (self._has_ledger() and self._reconciliation.run(cause)):
            self._disconnect()  # the next connection tries again
            return False
        self.reconciling = False
        self._connects = 0
        self._reconcile_at = self._now() + self._policy.reconcile_every
        self._decisions.make()
        return True

    def close(self) -> None:
        """End the connections to the broker."""
        self._disconnect()
        self.broker.close()

    # Bars.

    def _bars(self, ts: int, bars: Sequence[BarClosed]) -> None:
        """All bars of one start: fills, then marks, then the watch."""
        if self._paper is not None:
            self._paper.at(self._now())
            self._actions.look(self._paper, [bar.symbol for bar in bars], ts)
            updates = self._paper.expire(ts)
            for bar in bars:
                updates += self._paper.on_bar(bar.symbol, bar.ts, bar_units(bar))
            self._at_step("bar matched")
            self.books.happened_together(
                [(u.order.order.client_order_id, u.events, "") for u in updates]
            )
        for bar in bars:
            self.books.mark(bar.symbol, bar_units(bar).close, bar.available_at)
        self._last_bar = max(self._last_bar, ts)
        # An account that is not opened yet has lost nothing.
        if ts == self._last_bar and not self.books.ledger_is_empty:
            self.books.watch(ts, self._hours.session(ts), self._limits)
            self._halting.go_on(self._last_bar)

    # Sending again.

    def _may_send(self, order: TrackedOrder) -> bool:
        """Whether an order may be sent again: none that is older than a bar, none in a halt."""
        if order.intent.order.leg is Leg.CLOSE:
            return True
        age = self._now() - order.intent.created_at
        is_late = age > timedelta(microseconds=self._policy.bar_length // 1_000)
        return not is_late and self.books.refresh_risk().state is not TradingState.HALTED

    # The broker.

    def _update(self, update: OrderUpdate) -> None:
        told = update.order
        name = told.order.client_order_id
        recorded = self.books.happened(name, update.events, told.broker_order_id)
        if recorded is None:
            LOG.warning("The broker reported order %s, which is not ours", name)
            self.reconcile("unknown order")
            return
        self._at_step("answer recorded")
        for kind in recorded.contradicted:
            LOG.error("Order %s cannot have had %s; it counts as alive", name, kind)

    def _connect(self, cause: str) -> None:
        """Listen to the broker first, and then look up what was not heard."""
        if self._now() < self._connect_at:
            return
        self._connects += 1
        pause = RECONNECT_PAUSES[min(self._connects, len(RECONNECT_PAUSES)) - 1]
        self._connect_at = self._now() + pause
        try:
            self._stream = self.broker.updates()
        except OutcomeUnknownError as error:
            LOG.warning("%s; it is tried again", error)
            return
        self.reconcile(cause)

    def _disconnect(self) -> None:
        self.reconciling = True
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _has_ledger(self) -> bool:
        """Whether the ledger has begun; a new one does with the capital, or the broker's cash."""
        if not self.books.ledger_is_empty:
            return True
        try:
            cash = self._policy.capital if self._paper else self.broker.account().cash
        except BrokerError as error:
            LOG.warning("The account cannot be opened yet: %s", error)
            return False
        if cash:
            event = deposit(self._nanoseconds(), to_units(cash, "capital"))
            self.books.book(event, "opening")
            if self._paper is not None:
                self._paper.booked(event)
        return True

    def _nanoseconds(self) -> int:
        return nanoseconds_of(self._now())
