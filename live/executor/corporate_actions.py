"""Splits and dividends of a paper account: a broker books them, and on paper nobody else would."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, time
from decimal import Decimal

import numpy as np

from adapters.brokers.paper import PaperBroker
from database.actions import actions_until
from database.connection import Database
from database.orders.intents import moment_of, nanoseconds_of
from live.executor.books import Books
from live.executor.cancellation import Cancellation
from live.executor.policy import Policy
from trading.backtest.events import happening_of
from trading.execution.hours import TradingHours
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.clock import NEW_YORK
from trading.portfolio.ledger import EventKind
from trading.units import to_units

LOG = logging.getLogger(__name__)

_MOVES = {EventKind.FILL, EventKind.SPLIT, EventKind.ADJUSTMENT}
"""Events whose quantity is of shares that come or go."""


class CorporateActions:
    """Books them at a symbol's first bar of a session, before anything fills.

    Not earlier: the last price is one of old shares until then. Shares bought since an action took
    effect have no part in it, so one that becomes known after such a fill is not booked but told.

    Args:
        database: Whose table of actions counts; `trading lake load` fills it.
        policy: What is traded.
        hours: The exchange's.
        books: The account's books.
        cancellation: Ends the orders of a symbol that splits: they are for old shares.
    """

    def __init__(
        self,
        database: Database,
        policy: Policy,
        hours: TradingHours,
        books: Books,
        cancellation: Cancellation,
    ) -> None:
        self._database = database
        self._policy = policy
        self._hours = hours
        self._books = books
        self._cancellation = cancellation
        self._looked: dict[str, int] = {}

    def look(self, paper: PaperBroker, symbol: str, ts: int) -> None:
        """Book what took effect, when the bar is the symbol's first one of its session.

        Args:
            paper: The broker, which has to know.
            symbol: Whose bar has come.
            ts: The bar's start, nanoseconds since 1970 in UTC.
        """
        session = self._hours.session(ts)
        if session <= self._looked.get(symbol, -1):
            return
        self._looked[symbol] = session
        if session < 0 or not (
            self._books.desk.account.quantity(symbol) or self._books.desk.orders_of(symbol)
        ):
            return
        day = moment_of(int(self._hours.opens[session])).astimezone(NEW_YORK).date()
        found = actions_until(self._database, symbol, day)
        # Of one day splits come first: a dividend is per new share.
        for action in sorted(found, key=lambda a: (a.ex_date, a.kind is ActionKind.DIVIDEND)):
            self._apply(paper, action, ts)

    def _apply(self, paper: PaperBroker, action: CorporateAction, ts: int) -> None:
        symbol, since = action.symbol, self._effective(action)
        if action.kind is ActionKind.SPLIT:
            self._end_orders(symbol, since)
        identity = f"{action.kind.value}:{symbol}:{action.ex_date.isoformat()}"
        if self._books.has_earned(identity) or not self._applies(action, since, identity):
            return
        step = to_units(self._policy.increments.get(symbol, Decimal(1)), "increment")
        made = happening_of(action, step).events(self._books.desk.account, ts)
        if made and self._books.book_earned(made, identity, str(action.value)):
            LOG.info("Booked the %s of %s", identity, action.value)
            for event in made:
                paper.booked(event)

    def _end_orders(self, symbol: str, since: int) -> None:
        """Orders that were decided on before a split are for old shares at an old price."""
        for tracked in self._books.desk.orders_of(symbol):
            if tracked.intent.bar < since:
                LOG.warning("Order %s of %s ends: its shares split", tracked.name, symbol)
                self._cancellation.ask(tracked)

    def _effective(self, action: CorporateAction) -> int:
        """The open of the first session without what the action gives."""
        midnight = nanoseconds_of(
            datetime.combine(action.ex_date, time(), NEW_YORK).astimezone(UTC)
        )
        place = int(np.searchsorted(self._hours.opens, midnight))
        return int(self._hours.opens[min(place, len(self._hours.opens) - 1)])

    def _applies(self, action: CorporateAction, since: int, identity: str) -> bool:
        """Whether what is held now is what was held when an action took effect."""
        moves = [
            event
            for event in self._books.ledger
            if event.symbol == action.symbol and event.kind in _MOVES
        ]
        if not sum(event.quantity for event in moves if event.timestamp < since):
            return False
        is_late = any(
            event.timestamp >= since and event.kind is not EventKind.SPLIT for event in moves
        )
        if is_late or action.currency != "USD":
            why = "shares were traded since" if is_late else f"it is paid in {action.currency}"
            LOG.error("The %s is not booked: %s; see docs/orders.md", identity, why)
            return False
        return True
