"""Positions: the fold over what the ledger's tables hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from database.connection import Database
from trading.portfolio.account import Account, Holding
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.units import from_units, to_dollars, to_money, to_units

_EVENTS = """
SELECT account_id, at, 1 AS rank, symbol, 'fill' AS kind, quantity, price, fee, execution_id AS id
FROM execution WHERE (%(account)s::text IS NULL OR account_id = %(account)s)
UNION ALL
SELECT account_id, at, 0, symbol, kind, quantity, price, 0, lpad(id::text, 20, '0')
FROM ledger_event WHERE (%(account)s::text IS NULL OR account_id = %(account)s)
-- Of one moment what was paid in comes before what was bought of it.
ORDER BY account_id, at, rank, id
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionRow:
    """What is held of a symbol.

    Attributes:
        account_id: The account.
        symbol: The symbol.
        quantity: Shares, below 0 when short.
        average_price: Dollars a share at average cost.
        cost: Dollars, signed like the quantity.
        realized: What closed shares earned in dollars, dividends included, before fees.
        fees: All fees in dollars.
        opened: Since when it is held.
    """

    account_id: str
    symbol: str
    quantity: Decimal
    average_price: Decimal | None
    cost: Decimal
    realized: Decimal
    fees: Decimal
    opened: datetime


def positions(database: Database, account: str | None = None) -> list[PositionRow]:
    """The open positions of an account, of all by default, by account and symbol.

    Raises:
        DatabaseError: The database does not answer.
        ValueError: The ledger contradicts itself.
    """
    with database.transaction() as connection:
        rows = connection.execute(_EVENTS, {"account": account}).fetchall()
    accounts: dict[str, Account] = {}
    for name, *event in rows:
        accounts.setdefault(name, Account()).apply(_event(event))
    return [
        _row(name, holding)
        for name, folded in accounts.items()
        for _, holding in sorted(folded.open.items())
    ]


def _event(row: list[Any]) -> LedgerEvent:
    at, _, symbol, kind, quantity, price, fee, _ = row
    return LedgerEvent(
        (at - _EPOCH) // timedelta(microseconds=1) * 1_000,
        symbol,
        EventKind(kind),
        to_units(quantity.normalize()),
        to_units(price.normalize()),
        to_money(Decimal(fee).normalize()),
    )


def _row(account: str, holding: Holding) -> PositionRow:
    return PositionRow(
        account_id=account,
        symbol=holding.symbol,
        quantity=from_units(holding.quantity),
        average_price=holding.average_price,
        cost=to_dollars(holding.cost),
        realized=to_dollars(holding.realized),
        fees=to_dollars(holding.fees),
        opened=_EPOCH + timedelta(microseconds=holding.opened // 1_000),
    )
