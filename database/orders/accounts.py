"""Accounts, and the lock that lets one executor trade in each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row

from database.connection import Database
from database.orders.audit import audit
from trading.errors import ParameterError

BrokerName = Literal["paper", "alpaca"]

_NO_RISK_YET = """
INSERT INTO risk_state (account_id, state, reason, since, updated_at)
VALUES (%s, 'ACTIVE', '', clock_timestamp(), clock_timestamp()) ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAccount:
    """An account.

    Attributes:
        id: Its name.
        broker: Who keeps it.
        is_live: Whether real money is in it.
        created_at: Since when it is known here.
    """

    id: str
    broker: str
    is_live: bool
    created_at: datetime


def ensure_account(
    database: Database, account: str, broker: BrokerName, *, is_live: bool
) -> StoredAccount:
    """The account, made when it is not there.

    Raises:
        ParameterError: It is there, of another broker or with another kind of money.
    """
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO account (id, broker, is_live) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            [account, broker, is_live],
        )
        connection.execute(_NO_RISK_YET, [account])
    found = account_named(database, account)
    if (found.broker, found.is_live) != (broker, is_live):
        kind = "live" if found.is_live else "paper"
        raise ParameterError(
            "account", account, f"an account of {broker}: it is a {kind} one of {found.broker}",
            "name another account",
        )  # fmt: skip
    return found


def accounts(database: Database) -> list[StoredAccount]:
    """All accounts, in order of their names."""
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(StoredAccount)) as cursor,
    ):
        return cursor.execute(
            "SELECT id, broker, is_live, created_at FROM account ORDER BY id"
        ).fetchall()


def account_named(database: Database, account: str) -> StoredAccount:
    """The account of that name.

    Raises:
        ParameterError: There is none.
    """
    with (
        database.transaction() as connection,
        connection.cursor(row_factory=class_row(StoredAccount)) as cursor,
    ):
        found = cursor.execute(
            "SELECT id, broker, is_live, created_at FROM account WHERE id = %s", [account]
        ).fetchone()
    if found is not None:
        return found
    known = ", ".join(other.id for other in accounts(database))
    names = known or "none yet: start trading live executor"
    raise ParameterError("account", account, f"a known account ({names})", "correct the name")


def forget_account(database: Database, account: str, *, who: str) -> int:
    """Empty a paper account; how many orders it had. The audit keeps that this was done.

    Whoever calls it holds the account's lock.
    """
    with database.transaction() as connection:
        orders = connection.execute(
            "SELECT count(*) FROM intent WHERE account_id = %s", [account]
        ).fetchone()
        for table in (
            "order_event", "execution", "intent", "ledger_event", "target", "equity",
            "reconciliation", "risk_state",
        ):  # fmt: skip
            connection.execute(
                sql.SQL("DELETE FROM {} WHERE account_id = %s").format(sql.Identifier(table)),
                [account],
            )
        connection.execute(_NO_RISK_YET, [account])
        count = int(orders[0]) if orders else 0
        audit(
            connection, who=who, action="reset", subject=account, why="a person asked",
            detail={"orders": count},
        )  # fmt: skip
    return count


@contextlib.contextmanager
def only_executor(database: Database, account: str) -> Iterator[bool]:
    """Whether this process may trade in the account; no other one may while the block runs.

    The lock belongs to the connection, so it goes with the process, however that ends.
    """
    key = f"executor {account}"
    with database.transaction() as connection:
        row = connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key]
        ).fetchone()
    has_it = bool(row and row[0])
    try:
        yield has_it
    finally:
        # A process that was stopped amid a statement leaves the lock to the end of its connection.
        if has_it and database.rows.info.transaction_status is TransactionStatus.IDLE:
            with database.transaction() as connection:
                connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])
