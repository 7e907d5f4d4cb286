"""From signals to targets, and from targets to orders through the gate, as a backtest does it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from adapters.brokers.errors import BrokerError
from database.orders.targets import StoredTarget
from live.executor.books import Books
from live.executor.orders.cancellation import Cancellation
from live.executor.orders.submission import Submission
from live.executor.policy import Policy
from live.executor.quantities import wanted_by
from trading.events import SignalMade
from trading.execution.hours import TradingHours
from trading.execution.intent import Intent
from trading.execution.signal_target import signal_target
from trading.execution.target_order import target_order
from trading.instruments.clock import nanoseconds_of
from trading.orders.model import Order
from trading.risk.gate import denial
from trading.risk.guards import EVERYWHERE
from trading.risk.limits import Code, TradingState
from trading.units import to_units

LOG = logging.getLogger(__name__)


class Decisions:
    """Keeps what signals want, and decides on it once that is possible.

    Args:
        policy: What is traded and how.
        hours: The exchange's.
        books: The account's books.
        submission: Sends orders.
        cancellation: Ends older orders of a symbol.
        now: The time.
        reconciling: Whether the books and the broker's may not agree.
        at_step: Told of each step.
    """

    def __init__(
        self,
        *,
        policy: Policy,
        hours: TradingHours,
        books: Books,
        submission: Submission,
        cancellation: Cancellation,
        now: Callable[[], datetime],
        reconciling: Callable[[], bool],
        at_step: Callable[[str], None],
    ) -> None:
        self._policy = policy
        self._hours = hours
        self._books = books
        self._submission = submission
        self._cancellation = cancellation
        self._now = now
        self._reconciling = reconciling
        self._at_step = at_step
        self._limits = policy.live_limits

    def follows(self, signal: SignalMade) -> bool:
        """Whether the signal is one of those that this account trades on."""
        policy = self._policy
        return (
            signal.strategy == policy.strategy
            and signal.interval == policy.interval
            and signal.symbol in policy.symbols
            and policy.fingerprint in {None, signal.fingerprint}
        )

    def take(self, signal: SignalMade) -> None:
        """Keep what the signal wants, when that is something else than before."""
        before = self._books.targets.get(signal.symbol)
        if before is not None and signal.ts <= before.bar:
            return  # it came before, or corrects a bar that was acted on
        wanted = signal_target(signal.signal, signal.target, allow_short=self._policy.allow_short)
        held = before.target if before is not None else 0.0
        target = held if wanted is None else wanted
        is_same = target == held and (before is None or before.is_decided)
        if is_same and not (before is not None and self._owes_exit(before)):
            return
        self._books.note(
            StoredTarget(
                strategy=signal.strategy,
                symbol=signal.symbol,
                fingerprint=signal.fingerprint,
                interval=signal.interval,
                bar=signal.ts,
                available_at=signal.available_at,
                close=Decimal(repr(signal.close)),
                target=target,
                is_decided=False,
            )
        )

    def _owes_exit(self, target: StoredTarget) -> bool:
        """Whether a position is still there whose exit was denied: it is tried again each bar."""
        held = self._books.desk.account.quantity(target.symbol)
        return target.exit_denied and held != 0 and target.target * held <= 0

    def make(self) -> None:
        """Make the orders of all targets that wait and can be decided on now."""
        for symbol in self._policy.symbols:
            target = self._books.targets.get(symbol)
            if target is not None and not target.is_decided:
                self._decide(target)

    def _decide(self, target: StoredTarget) -> None:
        """Make the order of a target, once its bar is known, the books agree, nothing works."""
        late = self._nanoseconds() - target.available_at > self._policy.bar_length
        price = self._books.desk.prices.get(target.symbol)
        if not late:
            if price is None or price.known_at < target.available_at or self._reconciling():
                return
            if self._works(target.symbol):
                return
        order = target_order(
            wanted_by(target, self._policy),
            equity=self._books.desk.account.equity,
            position=self._books.desk.account.quantity(target.symbol),
            only_reduces=self._only_reduces(target.symbol),
        )
        if self._books.ledger_is_empty:
            LOG.error(
                "No order in %s: no cash is known of, as the broker has none or was never reached",
                target.symbol,
            )
        if order is None or order.client_order_id in self._books.desk.names:
            self._books.note(replace(target, is_decided=True))
            return
        self._intend(target, order)

    def _works(self, symbol: str) -> bool:
        """Whether orders of the symbol still work after their cancel was asked for."""
        for tracked in self._books.desk.orders_of(symbol):
            try:
                self._cancellation.ask(tracked)
            except BrokerError as error:
                LOG.warning("Order %s is not cancelled yet: %s", tracked.name, error)
        return bool(self._books.desk.orders_of(symbol))

    def _only_reduces(self, symbol: str) -> bool:
        return self._books.risk.state is not TradingState.ACTIVE or self._is_locked(symbol)

    def _is_locked(self, symbol: str) -> bool:
        trips = self._books.desk.account.trips
        now = self._nanoseconds()
        return any(
            {symbol, EVERYWHERE} & set(guard.locks(trips, frozenset(), now))
            for guard in self._policy.guards
        )

    def _intend(self, target: StoredTarget, order: Order) -> None:
        now, desk = self._now(), self._books.desk
        exposure = desk.exposure(order.symbol)
        reduces = exposure.reduces(order.side, to_units(order.quantity, "quantity"))

        def denies(state: TradingState) -> Code | None:
            situation = desk.situation(
                order,
                state=state,
                now=nanoseconds_of(now),
                costs=self._policy.costs,
                reconciling=self._reconciling(),
                takes_orders=self._hours.takes_orders(nanoseconds_of(now), self._policy.bar_length),
                decided_at=target.available_at,
                locked=self._is_locked(order.symbol),
            )
            return denial(order, situation, self._limits)

        def decided(code: Code | None) -> StoredTarget:
            return replace(target, is_decided=True, exit_denied=code is not None and reduces)

        intent = Intent(
            account=self._policy.account,
            order=order,
            fingerprint=target.fingerprint,
            interval=target.interval,
            bar=target.bar,
            created_at=now,
        )
        self._at_step("decided")
        tracked, code = self._books.intend(intent, denies, decided)
        if code is None:
            self._submission.send(tracked)
        else:
            LOG.info("Order %s of %s is denied: %s", tracked.name, order.symbol, code.value)

    def _nanoseconds(self) -> int:
        return nanoseconds_of(self._now())
