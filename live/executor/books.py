"""The account's books: the ledger in the database, and what follows from it at hand.

Everything is written first and then taken over, so that a process that dies in between finds
what was written. There is one writer: whoever holds the account's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import psycopg
from psycopg.rows import TupleRow

from database.connection import Database
from database.orders.accounts import account_named
from database.orders.equity import EquityPoint, write_equity
from database.orders.events import Recorded, order_named, record_events, record_intent, rounded
from database.orders.events import working_orders as read_working
from database.orders.intents import created_since, intent_names
from database.orders.ledger import add_ledger_event, booked_among, read_ledger
from database.orders.risk import StoredRisk, locked_risk, read_risk, step_risk
from database.orders.standing import last_prices
from database.orders.targets import StoredTarget, read_targets, write_target
from live.executor.alerting import AccountAlerts
from trading.execution.desk import Desk, Price, TrackedOrder
from trading.execution.intent import Intent
from trading.instruments.clock import moment_of, nanoseconds_of
from trading.orders.history import OrderEvent, OrderEventKind
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.portfolio.standing import standing
from trading.risk.limits import Code, RiskLimits, TradingState
from trading.risk.watch import RiskState, Thresholds, paid_in, watched
from trading.units import from_units, price_units, to_money, to_units

Denies = Callable[[TradingState], Code | None]
"""Why the gate refuses an order in a state; None when it does not."""


class Books:
    """One account's books.

    Args:
        database: Where they are kept.
        account: The account's name.
        now: The time, for what is written down.
        alerts: Told of each thing about an order that a person must look at.

    Attributes:
        desk: Positions, working orders, prices.
        targets: The last target of each symbol.
        risk: What the account may do, as last read.
        ledger_is_empty: Whether nothing was ever booked.
    """

    def __init__(
        self,
        database: Database,
        account: str,
        now: Callable[[], datetime],
        alerts: AccountAlerts,
    ) -> None:
        account_named(database, account)
        self._database = database
        self._account = account
        self._now = now
        self._alerts = alerts
        self.desk = Desk()
        self.load()

    def load(self) -> None:
        """Read everything; the last prices that are known stay."""
        prices = self.desk.prices
        ledger = read_ledger(self._database, self._account)
        self.ledger_is_empty = not ledger
        self.desk = Desk(ledger)
        for symbol, price in prices.items():
            self.desk.mark(symbol, price)
        self.desk.names |= intent_names(self._database, self._account)
        for order in read_working(self._database, self._account):
            self.desk.track(order)
        minute_ago = self._now() - timedelta(minutes=1)
        for at in created_since(self._database, self._account, minute_ago):
            self.desk.sent(nanoseconds_of(at))
        self._mark_last_prices()
        self.targets = {t.symbol: t for t in read_targets(self._database, self._account)}
        self.risk = read_risk(self._database, self._account)

    def _mark_last_prices(self) -> None:
        """Value what is held and wanted as before this process began."""
        working = (order.intent.order.symbol for order in self.desk.working.values())
        names = {*self.desk.account.open, *working}
        for symbol, last in last_prices(self._database, sorted(names)).items():
            units = int(price_units(np.array([last.close]), symbol)[0])
            self.desk.mark(symbol, Price(units, nanoseconds_of(last.known_at)))

    @property
    def ledger(self) -> list[LedgerEvent]:
        """The whole ledger, read anew."""
        return read_ledger(self._database, self._account)

    def ledger_of(self, symbols: Collection[str]) -> list[LedgerEvent]:
        """What of the ledger is of these symbols, read anew."""
        return read_ledger(self._database, self._account, symbols=symbols)

    @property
    def seen(self) -> dict[str, int]:
        """The start of each symbol's last bar that a decision was made of."""
        orders = (order.intent for order in self.desk.working.values())
        stated = [(target.symbol, target.bar) for target in self.targets.values()]
        stated += [(intent.order.symbol, intent.bar) for intent in orders]
        found: dict[str, int] = {}
        for symbol, bar in stated:
            found[symbol] = max(found.get(symbol, bar), bar)
        return found

    def order(self, name: str) -> TrackedOrder | None:
        """The order of that name, ended or not."""
        return self.desk.working.get(name) or order_named(self._database, self._account, name)

    def refresh_risk(self) -> StoredRisk:
        """What a person may have changed."""
        self.risk = read_risk(self._database, self._account)
        return self.risk

    # Signals.

    def note(self, target: StoredTarget) -> None:
        """Keep a target, so that it is not lost with this process."""
        with self._database.transaction() as connection:
            write_target(connection, self._account, target)
        self.targets[target.symbol] = target

    def intend(
        self, intent: Intent, denies: Denies, decided: Callable[[Code | None], StoredTarget | None]
    ) -> tuple[TrackedOrder, Code | None]:
        """Write an intent with the gate's answer, and that its target is decided, all or nothing.

        The account's state is read in the same transaction: after a halt is written no order can
        be.

        Args:
            intent: The order.
            denies: The gate.
            decided: The target as it then stands; None for an order of no target.
        """
        with self._database.transaction() as connection:
            self.risk = locked_risk(connection, self._account)
            code = denies(self.risk.state)
            at = intent.created_at
            events = [OrderEvent(kind=OrderEventKind.INITIALIZED, at=at)]
            events.append(
                OrderEvent(kind=OrderEventKind.SUBMITTED, at=at)
                if code is None
                else OrderEvent(kind=OrderEventKind.DENIED, at=at, reason=code.value)
            )
            order = record_intent(connection, intent, events)
            target = decided(code)
            if target is not None:
                write_target(connection, self._account, target)
        if target is not None:
            self.targets[target.symbol] = target
        self.desk.track(order)
        if code is None:
            self.desk.sent(nanoseconds_of(intent.created_at))
        return order, code

    # What the broker says.

    def happened(
        self, name: str, events: Sequence[OrderEvent], broker_order_id: str = ""
    ) -> Recorded | None:
        """Write what happened to an order; None when it is not ours."""
        found = self.happened_together([(name, events, broker_order_id)])
        return found[0] if found else None

    def happened_together(
        self, told: Sequence[tuple[str, Sequence[OrderEvent], str]]
    ) -> list[Recorded]:
        """Write what happened to several orders, all or nothing: what one bar filled."""
        if not told:
            return []
        known = [(self.order(name), events, theirs) for name, events, theirs in told]
        with self._database.transaction() as connection:
            recorded = [
                (order, self._record(connection, order, events, theirs))
                for order, events, theirs in known
                if order is not None
            ]
        if any(after.rewrites for _, after in recorded):
            self.load()
        else:
            for before, after in recorded:
                self._take(before, after.order)
        return [after for _, after in recorded]

    def _record(
        self,
        connection: psycopg.Connection[TupleRow],
        before: TrackedOrder,
        events: Sequence[OrderEvent],
        broker_order_id: str,
    ) -> Recorded:
        """Write what happened to an order, and what of it a person must look at."""
        recorded = record_events(connection, before, events, broker_order_id)
        self._alerts.flagged(connection, before, recorded.order)
        return recorded

    def _take(self, before: TrackedOrder, after: TrackedOrder) -> None:
        booked = {fill.execution_id for fill in before.status.fills}
        order = after.intent.order
        fills = [
            LedgerEvent(
                nanoseconds_of(fill.at),
                order.symbol,
                EventKind.FILL,
                int(order.side) * to_units(fill.quantity, "quantity"),
                to_units(rounded(fill.price), "price"),
                to_money(rounded(fill.fee), "fee"),
                after.name,
            )
            for fill in after.status.fills
            if fill.execution_id not in booked
        ]
        self.desk.book(fills)
        self.ledger_is_empty = self.ledger_is_empty and not fills
        self.desk.track(after)

    def adopt(self, intent: Intent, events: Sequence[OrderEvent], broker_order_id: str) -> None:
        """Write an order that was found at the broker and is not ours."""
        with self._database.transaction() as connection:
            order = record_intent(
                connection,
                intent,
                [OrderEvent(kind=OrderEventKind.INITIALIZED, at=intent.created_at)],
            )
            recorded = self._record(connection, order, events, broker_order_id)
        self._take(order, recorded.order)

    def book(self, event: LedgerEvent, identity: str, reason: str = "") -> bool:
        """Book a deposit or an adjustment, once; what it brings is no gain to the watch."""
        with self._database.transaction() as connection:
            is_new = add_ledger_event(connection, self._account, event, identity, reason)
            if is_new:
                money = event.quantity * event.price
                self.risk = step_risk(
                    connection, self._account, lambda memory: paid_in(memory, money), closes=False
                )
        if is_new:
            self.desk.book([event])
            self.ledger_is_empty = False
        return is_new

    def book_earned(self, events: Sequence[LedgerEvent], identity: str, reason: str) -> bool:
        """Book what a corporate action brings, together and once: it is gain, not paid in.

        Args:
            events: What it brings.
            identity: The action's; `earned_among` knows by it.
            reason: Why, for a reader.

        Returns:
            Whether it was not booked before.
        """
        with self._database.transaction() as connection:
            # Together, so that all are new or none is.
            is_new = all(
                add_ledger_event(connection, self._account, event, f"{identity}:{number}", reason)
                for number, event in enumerate(events)
            )
        if is_new:
            self.desk.book(events)
        return is_new

    def earned_among(self, identities: Collection[str]) -> set[str]:
        """Those of the identities that `book_earned` booked before."""
        first = {f"{identity}:0": identity for identity in identities}
        return {first[found] for found in booked_among(self._database, self._account, first)}

    # The watch.

    def mark(self, symbol: str, units: int, known_at: int) -> None:
        """Take a newer price."""
        self.desk.mark(symbol, Price(units, known_at))

    def watch(self, at: int, session: int, limits: RiskLimits) -> StoredRisk:
        """See what the equity means for the account's state, and keep a point of it."""
        equity, thresholds = self.desk.account.equity, Thresholds.of(limits)

        def step(memory: RiskState) -> RiskState:
            return watched(memory, equity, session, thresholds)

        with self._database.transaction() as connection:
            closes = limits.close_when_halted
            self.risk = step_risk(connection, self._account, step, closes=closes)
            write_equity(connection, self._account, self._point(at, self.risk.memory))
        return self.risk

    def _point(self, at: int, memory: RiskState) -> EquityPoint:
        fallen = 1 - memory.equity / memory.peak if memory.peak > 0 else 0
        return EquityPoint.of(standing(self.desk.account), moment_of(at), float(fallen))

    def held(self, symbol: str) -> Decimal:
        """Shares of a symbol."""
        return from_units(self.desk.account.quantity(symbol))
