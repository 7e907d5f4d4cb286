"""Making our books and the broker's agree, and saying so only when they do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from adapters.brokers.errors import BrokerError
from adapters.brokers.protocol import Broker, BrokerOrder
from database.connection import Database
from database.orders.events import rounded
from database.orders.reconciliations import begin_reconciliation, end_reconciliation
from live.executor.books import Books
from live.executor.orders.cancellation import Cancellation
from live.executor.orders.submission import Submission
from trading.execution.comparison import Difference, DifferenceKind, Held, compared
from trading.execution.desk import TrackedOrder, is_sent
from trading.execution.intent import Intent
from trading.instruments.clock import nanoseconds_of
from trading.orders.states import OrderState
from trading.portfolio.ledger import LedgerEvent, adjustment
from trading.units import UNIT, from_units, to_dollars, to_units

LOG = logging.getLogger(__name__)

MOST_ROUNDS = 5
"""Looks at the broker while its orders change under them."""

Seen = dict[str, tuple[str, Decimal]]
"""What of the broker's open orders must not change during a look: state and filled quantity."""


class Told(Protocol):
    """Who else has to know of what is booked beside the orders: the paper broker."""

    def booked(self, event: LedgerEvent) -> None:
        """Take an event of the ledger."""


class Reconciliation:
    """Compares and adjusts; the only way out of RECONCILING.

    Args:
        database: Where comparisons are kept.
        account: The account's name.
        books: Ours.
        broker: Theirs.
        submission: Finds out about orders whose outcome is not known.
        cancellation: Repeats cancels that may never have been sent.
        now: The time.
        told: Who else has to know of adjustments; None for nobody.
    """

    def __init__(
        self,
        *,
        database: Database,
        account: str,
        books: Books,
        broker: Broker,
        submission: Submission,
        cancellation: Cancellation,
        now: Callable[[], datetime],
        told: Told | None,
    ) -> None:
        self._database = database
        self._account = account
        self._books = books
        self._broker = broker
        self._submission = submission
        self._cancellation = cancellation
        self._now = now
        self._told = told
        self.differences: list[Difference] = []

    def run(self, cause: str) -> bool:
        """Make both agree; whether they do.

        Args:
            cause: Why: `start`, `reconnect`, `schedule` or `command`.
        """
        number = begin_reconciliation(self._database, self._account, cause, self._now())
        self.differences = []
        try:
            agreed = self._agree(f"{number}")
        except BrokerError as error:
            LOG.warning("The broker's books cannot be read: %s", error)
            agreed = False
        end_reconciliation(
            self._database, number, self._now(), agreed=agreed, differences=self.differences
        )
        for difference in self.differences:
            LOG.warning("Reconciliation of %s: %s", self._account, difference)
        return agreed

    def _agree(self, number: str) -> bool:
        self._submission.resolve(at_once=True)
        found = self._look()
        if found is None:
            return False
        # A difference counts when a second look, after all that is on its way, still has it.
        if any(difference.blocks_trading for difference in found):
            found = self._look()
            if found is None:
                return False
        self.differences += found
        for index, difference in enumerate(d for d in found if d.blocks_trading):
            if difference.kind in {DifferenceKind.POSITION, DifferenceKind.CASH}:
                self._adjust(difference, f"adjustment:{number}:{index}")
        after = self._look()
        left = [d for d in after or () if d.blocks_trading]
        return after is not None and not left and not self._submission.unresolved

    def _look(self) -> list[Difference] | None:
        """What differs; None when the broker's orders do not stand still for a look."""
        for _ in range(MOST_ROUNDS):
            before = self._broker.open_orders()
            missing = self._take(before)
            positions, account = self._broker.positions(), self._broker.account()
            after = self._broker.open_orders()
            if _seen(before) == _seen(after):
                own = self._books.desk.account
                ours = {
                    symbol: Held(from_units(holding.quantity), holding.average_price)
                    for symbol, holding in own.open.items()
                }
                cash = to_dollars(own.cash)
                return missing + compared(ours, positions, cash=cash, their_cash=account.cash)
        return None

    def _take(self, told: Sequence[BrokerOrder]) -> list[Difference]:
        """Book what the broker says of every order that either side takes for alive."""
        theirs = {order.order.client_order_id: order for order in told}
        missing = []
        for tracked in list(self._books.desk.working.values()):
            if tracked.name in theirs or is_sent(tracked):
                continue
            found = self._broker.lookup(tracked.name)
            if found is not None:
                theirs[tracked.name] = found
            else:
                missing.append(_unknown_there(tracked))
        self._record(theirs)
        return missing

    def _record(self, theirs: Mapping[str, BrokerOrder]) -> None:
        """Write it down: in one transaction, as each waits for the disk."""
        known = self._books.desk.names
        strangers = [order for name, order in theirs.items() if name not in known]
        self._books.happened_together(
            [
                (name, order.events(), order.broker_order_id)
                for name, order in theirs.items()
                if name in known
            ]
        )
        for order in strangers:
            self._adopt(order)
        for name in theirs:
            tracked = self._books.desk.working.get(name)
            if tracked and tracked.status.state is OrderState.PENDING_CANCEL:
                # A process that died may have written down a cancel that it never sent.
                self._cancellation.ask(tracked)

    def _adopt(self, told: BrokerOrder) -> None:
        name = told.order.client_order_id
        LOG.warning("Order %s at the broker is not ours; it is taken over", name)
        bar = nanoseconds_of(told.submitted_at)
        intent = Intent(
            account=self._account, order=told.order, bar=bar, created_at=told.submitted_at
        )
        self._books.adopt(intent, told.events(), told.broker_order_id)

    def _adjust(self, difference: Difference, identity: str) -> None:
        """Write the difference down as what it is: neither a fill nor a deposit."""
        lacking = to_units(rounded(difference.theirs - difference.ours), "difference")
        symbol = difference.subject
        price = UNIT if not symbol else self._worth(symbol, difference.price)
        event = adjustment(nanoseconds_of(self._now()), symbol, lacking, price)
        self._books.book(event, identity, str(difference))
        if self._told is not None:
            self._told.booked(event)

    def _worth(self, symbol: str, average: Decimal | None) -> int:
        """What a share is taken to be worth: the last price, or what the broker says it cost."""
        known = self._books.desk.price_of(symbol)
        return known or (to_units(rounded(average), "price") if average else UNIT)


def _seen(orders: Sequence[BrokerOrder]) -> Seen:
    return {order.broker_order_id: (order.status_text, order.filled_quantity) for order in orders}


def _unknown_there(tracked: TrackedOrder) -> Difference:
    return Difference(
        kind=DifferenceKind.ORDER_UNKNOWN_THERE,
        subject=tracked.name,
        ours=tracked.remaining,
        theirs=Decimal(0),
    )
