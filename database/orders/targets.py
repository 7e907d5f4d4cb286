"""The last target of each strategy in each symbol, and whether it was acted on."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import psycopg
from psycopg.rows import TupleRow

from database.connection import Database
from trading.instruments.clock import moment_of, nanoseconds_of


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTarget:
    """A target.

    Attributes:
        strategy: Whose.
        symbol: Of what.
        fingerprint: Of the strategy's version and parameters.
        interval: Of the bar.
        bar: The start of the bar that said it, nanoseconds since 1970 in UTC.
        available_at: When that bar could first be acted on.
        close: Its close in dollars.
        target: -1 to 1.
        is_decided: Whether an order was made or refused for it, or none was needed.
        exit_denied: Whether what was refused would have made the position smaller.
    """

    strategy: str
    symbol: str
    fingerprint: str
    interval: str
    bar: int
    available_at: int
    close: Decimal
    target: float
    is_decided: bool
    exit_denied: bool = False


def write_target(
    connection: psycopg.Connection[TupleRow], account: str, target: StoredTarget
) -> None:
    """Make a target the last one of its strategy and symbol, within a transaction."""
    connection.execute(
        "INSERT INTO target (account_id, strategy, symbol, fingerprint, interval, bar, "
        "available_at, close, target, is_decided, exit_denied) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (account_id, strategy, symbol) DO UPDATE SET "
        "fingerprint = excluded.fingerprint, interval = excluded.interval, bar = excluded.bar, "
        "available_at = excluded.available_at, close = excluded.close, target = excluded.target, "
        "is_decided = excluded.is_decided, exit_denied = excluded.exit_denied",
        [
            account, target.strategy, target.symbol, target.fingerprint, target.interval,
            moment_of(target.bar), moment_of(target.available_at), target.close, target.target,
            target.is_decided, target.exit_denied,
        ],
    )  # fmt: skip


def read_targets(database: Database, account: str) -> list[StoredTarget]:
    """The last targets of an account."""
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT strategy, symbol, fingerprint, interval, bar, available_at, close, target, "
            "is_decided, exit_denied FROM target WHERE account_id = %s ORDER BY strategy, symbol",
            [account],
        ).fetchall()
    return [
        StoredTarget(
            strategy=strategy,
            symbol=symbol,
            fingerprint=fingerprint,
            interval=interval,
            bar=nanoseconds_of(bar),
            available_at=nanoseconds_of(available_at),
            close=close,
            target=target,
            is_decided=is_decided,
            exit_denied=exit_denied,
        )
        for (
            strategy, symbol, fingerprint, interval, bar, available_at, close, target, is_decided,
            exit_denied,
        ) in rows
    ]  # fmt: skip
