"""The desk's state, read from the database: what every frame and page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from api.desk.reading.accounts import (
    Account,
    Reconciliation,
    accounts,
    reconciliations,
)
from api.desk.reading.alerts import Firing, firing, last_event_id
from api.desk.reading.ledger import Books, read_books
from api.desk.reading.orders import OrderRow, orders, orders_version
from api.desk.reading.prices import LastPrice, last_prices, previous_closes
from database.connection import Database
from database.live.heartbeats import Heartbeat, heartbeats
from database.orders.equity import EquityPoint, day_start, last_equity
from trading.instruments.clock import NEW_YORK, midnight
from trading.instruments.market_hours import next_session
from trading.units import UNIT


@dataclass(frozen=True, slots=True)
class Market:
    """Whether the exchange trades, and until or from when.

    Attributes:
        is_open: Whether it does.
        bell: When that changes.
    """

    is_open: bool
    bell: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """One account.

    Attributes:
        account: It and how trading stands in it.
        reconciliation: The last one; None when there was none.
        worth: The last worth known; None when there is none.
        day_start: The worth from which today's profit counts; None when there is none.
        books: Its ledger, folded; positions are marked at the last prices.
        open_orders: Orders of which more is expected.
    """

    account: Account
    reconciliation: Reconciliation | None
    worth: EquityPoint | None
    day_start: EquityPoint | None
    books: Books
    open_orders: tuple[OrderRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskState:
    """Everything at a moment.

    Attributes:
        at: The moment.
        market: Whether the exchange trades.
        accounts: Every account.
        prices: The last price of each symbol.
        previous: The close of each symbol before today.
        firing: The alerts that fire, the worst first.
        last_alert: The id of the last alert that was said.
        services: The last heartbeat of each process.
        bus_lost: Since when the bus does not answer, by the clock on the wall; None when it does.
    """

    at: datetime
    market: Market
    accounts: tuple[AccountState, ...] = ()
    prices: Mapping[str, LastPrice] = field(default_factory=dict)
    previous: Mapping[str, float] = field(default_factory=dict)
    firing: tuple[Firing, ...] = ()
    last_alert: int = 0
    services: tuple[Heartbeat, ...] = ()
    bus_lost: datetime | None = None

    def account(self, name: str | None) -> AccountState | None:
        """The account of that name, or the first; None when there is none."""
        found = (one for one in self.accounts if name is None or one.account.id == name)
        return next(found, None)


def market_at(now: datetime) -> Market:
    """Whether the exchange trades at a moment, by its calendar."""
    session = next_session(now)
    is_open = session.opens <= now
    return Market(is_open, session.closes if is_open else session.opens)


def midnight_before(now: datetime) -> datetime:
    """When today's date began in New York."""
    return midnight(now.astimezone(NEW_YORK).date())


class StateReader:
    """Reads how things stand, and again only what has changed; used by one thread at a time."""

    def __init__(self) -> None:
        self._books: dict[str, Books] = {}
        self._orders: dict[str, tuple[tuple[int, int], tuple[OrderRow, ...]]] = {}
        self._prices: dict[str, LastPrice] = {}
        self._previous: tuple[datetime, dict[str, float]] | None = None

    def read(self, database: Database, now: datetime) -> DeskState:
        """Everything as it stands.

        Raises:
            DatabaseError: The database does not answer.
        """
        midnight = midnight_before(now)
        self._prices = last_prices(database, now, self._prices)
        known = accounts(database)
        reconciled = reconciliations(database)
        return DeskState(
            at=now,
            market=market_at(now),
            accounts=tuple(
                self._account(database, one, reconciled.get(one.id), midnight) for one in known
            ),
            prices=self._prices,
            previous=self._closes(database, midnight),
            firing=tuple(firing(database)),
            last_alert=last_event_id(database),
            services=tuple(heartbeats(database)),
        )

    def _account(
        self,
        database: Database,
        account: Account,
        reconciliation: Reconciliation | None,
        midnight: datetime,
    ) -> AccountState:
        books = read_books(database, account.id, self._books.get(account.id))
        self._books[account.id] = books
        for symbol in books.account.open:
            if symbol in self._prices:
                books.account.mark(symbol, round(self._prices[symbol].price * UNIT))
        return AccountState(
            account=account,
            reconciliation=reconciliation,
            worth=last_equity(database, account.id),
            day_start=day_start(database, account.id, midnight),
            books=books,
            open_orders=self._open_orders(database, account.id),
        )

    def _open_orders(self, database: Database, account: str) -> tuple[OrderRow, ...]:
        version = orders_version(database, account)
        known = self._orders.get(account)
        if known is None or known[0] != version:
            known = version, tuple(orders(database, account, only_open=True))
            self._orders[account] = known
        return known[1]

    def _closes(self, database: Database, midnight: datetime) -> dict[str, float]:
        """Yesterday's closes, read once a day and again while there are none."""
        if self._previous is None or self._previous[0] != midnight or not self._previous[1]:
            self._previous = midnight, previous_closes(database, midnight)
        return self._previous[1]
