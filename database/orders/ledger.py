"""The ledger of an account: its executions and what else changed it, in one order."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import psycopg
from psycopg.rows import TupleRow

from database.connection import Database
from trading.instruments.clock import moment_of, nanoseconds_of
from trading.portfolio.ledger import EventKind, LedgerEvent
from trading.units import from_units, to_money, to_units

_READ = """
SELECT at, symbol, kind, quantity, price, fee, order_id FROM (
    SELECT place, at, symbol, 'fill' AS kind, quantity, price, fee, client_order_id AS order_id
    FROM execution WHERE account_id = %(account)s
    UNION ALL
    SELECT place, at, symbol, kind, quantity, price, 0, '' FROM ledger_event
    WHERE account_id = %(account)s
) events
WHERE (%(until)s::timestamptz IS NULL OR at <= %(until)s)
    AND (%(symbols)s::text[] IS NULL OR symbol = ANY(%(symbols)s))
ORDER BY place
"""


def read_ledger(
    database: Database,
    account: str,
    until: datetime | None = None,
    symbols: Collection[str] | None = None,
) -> list[LedgerEvent]:
    """The events of an account in the order in which they were booked.

    Args:
        database: The database.
        account: The account's name.
        until: Leave out what happened after it.
        symbols: Leave out what is of no symbol among them; None for all events.
    """
    asked = None if symbols is None else list(symbols)
    values = {"account": account, "until": until, "symbols": asked}
    with database.transaction() as connection:
        rows = connection.execute(_READ, values).fetchall()
    return [
        LedgerEvent(
            nanoseconds_of(at),
            symbol,
            EventKind(kind),
            to_units(quantity, "quantity"),
            to_units(price, "price"),
            to_money(fee, "fee"),
            order_id,
        )
        for at, symbol, kind, quantity, price, fee, order_id in rows
    ]


def booked_among(database: Database, account: str, identities: Collection[str]) -> set[str]:
    """Those of the identities of which the account's ledger has an event."""
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT identity FROM ledger_event WHERE account_id = %s AND identity = ANY(%s)",
            [account, list(identities)],
        ).fetchall()
    return {identity for (identity,) in rows}


def add_ledger_event(
    connection: psycopg.Connection[TupleRow],
    account: str,
    event: LedgerEvent,
    identity: str,
    reason: str = "",
) -> bool:
    """Book what is no execution, within a transaction; whether it was not booked before.

    Args:
        connection: In a transaction.
        account: The account's name.
        event: The event; no fill.
        identity: What makes the same event the same.
        reason: Why, for people.
    """
    done = connection.execute(
        "INSERT INTO ledger_event (account_id, identity, kind, symbol, quantity, price, reason, at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
        [
            account, identity, event.kind.value, event.symbol, from_units(event.quantity),
            from_units(event.price), reason, moment_of(event.timestamp),
        ],
    )  # fmt: skip
    return bool(done.rowcount)
