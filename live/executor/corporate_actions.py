"""Splits and dividends of a paper account: a broker books them, and on paper nobody else would."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from decimal import Decimal

import numpy as np

from adapters.brokers.paper import PaperBroker
from database.actions import actions_until
from database.connection import Database
from live.executor.books import Books
from live.executor.orders.cancellation import Cancellation
from live.executor.policy import Policy
from trading.backtest.events import happening_of
from trading.execution.hours import TradingHours
from trading.instruments.actions import ActionKind, CorporateAction
from trading.instruments.clock import exchange_date, midnight, nanoseconds_of
from trading.portfolio.ledger import EventKind, LedgerEvent
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

    def look(self, paper: PaperBroker, symbols: Iterable[str], ts: int) -> None:
        """Book what took effect for the symbols whose first bar of a session this is.

        However many symbols and actions there are, the database is read three times at most.

        Args:
            paper: The broker, which has to know.
            symbols: Whose bars have come.
            ts: The bars' start, nanoseconds since 1970 in UTC.
        """
        session = self._hours.session(ts)
        first = [s for s in dict.fromkeys(symbols) if session > self._looked.get(s, -1)]
        self._looked.update(dict.fromkeys(first, session))
        concerned = [symbol for symbol in first if self._concerns(symbol)]
        if not concerned:
            return
        day = exchange_date(int(self._hours.opens[session]))
        found = actions_until(self._database, concerned, day)
        for action in found:
            if action.kind is ActionKind.SPLIT:
                self._end_orders(action.symbol, self._effective(action))
        # Of one day splits come first: a dividend is per new share.
        found.sort(key=lambda a: (a.ex_date, a.kind is ActionKind.DIVIDEND))
        self._book(paper, found, ts)

    def _concerns(self, symbol: str) -> bool:
        """Whether anything is held or ordered that an action could change."""
        desk = self._books.desk
        return bool(desk.account.quantity(symbol) or desk.orders_of(symbol))

    def _book(self, paper: PaperBroker, actions: Sequence[CorporateAction], ts: int) -> None:
        """Book those of the actions that were not booked before and apply, in their order."""
        booked = self._books.earned_among([_identity(action) for action in actions])
        new = [action for action in actions if _identity(action) not in booked]
        if not new:
            return
        moves: dict[str, list[LedgerEvent]] = {action.symbol: [] for action in new}
        for event in self._books.ledger_of(moves):
            moves[event.symbol].append(event)
        for action in new:
            # What is booked here is no trade, so it changes the answer for none of the others.
            if self._applies(action, moves[action.symbol]):
                self._apply(paper, action, ts)

    def _apply(self, paper: PaperBroker, action: CorporateAction, ts: int) -> None:
        step = to_units(self._policy.increments.get(action.symbol, Decimal(1)), "increment")
        made = happening_of(action, step).events(self._books.desk.account, ts)
        identity = _identity(action)
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
        begin = nanoseconds_of(midnight(action.ex_date))
        place = int(np.searchsorted(self._hours.opens, begin))
        return int(self._hours.opens[min(place, len(self._hours.opens) - 1)])

    def _applies(self, action: CorporateAction, ledger: Iterable[LedgerEvent]) -> bool:
        """Whether what is held now is what was held when an action took effect.

        Args:
            action: The action.
            ledger: All events of its symbol from before this look.
        """
        since = self._effective(action)
        moves = [event for event in ledger if event.kind in _MOVES]
        if not sum(event.quantity for event in moves if event.timestamp < since):
            return False
        is_late = any(
            event.timestamp >= since and event.kind is not EventKind.SPLIT for event in moves
        )
        if is_late or action.currency != "USD":
            why = "shares were traded since" if is_late else f"it is paid in {action.currency}"
            LOG.error("The %s is not booked: %s; see docs/orders.md", _identity(action), why)
            return False
        return True


def _identity(action: CorporateAction) -> str:
    """What makes an action the same one when it is looked at again."""
    return f"{action.kind.value}:{action.symbol}:{action.ex_date.isoformat()}"
