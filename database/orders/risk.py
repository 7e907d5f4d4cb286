"""What an account may do, stored: states, the watch's memory, halts and their end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

import psycopg
from psycopg.rows import TupleRow
from psycopg.types.json import Jsonb

from database.connection import Database
from database.orders.audit import audit
from trading.errors import ParameterError
from trading.risk.limits import TradingState
from trading.risk.watch import RiskState, resumed

_READ = """
SELECT state, reason, is_closing, closes_positions, memory, since FROM risk_state
WHERE account_id = %s
"""

_WRITE = """
UPDATE risk_state SET
    since = CASE WHEN state = %(state)s THEN since ELSE clock_timestamp() END,
    state = %(state)s, reason = %(reason)s, is_closing = %(is_closing)s,
    closes_positions = %(closes)s, memory = %(memory)s, updated_at = clock_timestamp()
WHERE account_id = %(account)s
"""


@dataclass(frozen=True, slots=True)
class StoredRisk:
    """What an account may do.

    Attributes:
        memory: The state, and what the watch remembers.
        is_closing: Whether a halt is still at work: cancelling, closing, verifying.
        closes_positions: Whether that halt also closes all positions.
        since: When the state began.
    """

    memory: RiskState
    is_closing: bool
    closes_positions: bool
    since: datetime

    @property
    def state(self) -> TradingState:
        """What the gate lets pass."""
        return self.memory.state

    @property
    def shown(self) -> str:
        """The state as people are told it: HALTED only when it is true of the broker too."""
        return "HALTING" if self.is_closing else self.state.value


def read_risk(database: Database, account: str) -> StoredRisk:
    """What an account may do.

    Raises:
        ParameterError: There is no such account.
    """
    with database.transaction() as connection:
        return _read(connection, account)


def locked_risk(connection: psycopg.Connection[TupleRow], account: str) -> StoredRisk:
    """The same within a transaction, until whose end nobody changes it."""
    return _read(connection, account, lock=" FOR UPDATE")


def step_risk(
    connection: psycopg.Connection[TupleRow],
    account: str,
    step: Callable[[RiskState], RiskState],
    *,
    closes: bool,
) -> StoredRisk:
    """Take the watch one step on, within a transaction.

    A state that becomes HALTED latches, and the halt begins its work.

    Args:
        connection: In a transaction.
        account: The account's name.
        step: From what the watch remembers to what it remembers next.
        closes: Whether a halt closes all positions.
    """
    before = locked_risk(connection, account)
    after = step(before.memory)
    if after == before.memory:
        return before
    halts = after.state is TradingState.HALTED and before.state is not TradingState.HALTED
    stored = StoredRisk(
        after,
        is_closing=before.is_closing or halts,
        closes_positions=closes if halts else before.closes_positions,
        since=before.since,
    )
    _write(connection, account, stored)
    if after.state is not before.state:
        why = after.reason or "a new session"
        audit(
            connection, who="executor", action=after.state.value.lower(), subject=account, why=why
        )
    return _read(connection, account)


def halt(
    database: Database, account: str, *, who: str, why: str, closes_positions: bool
) -> StoredRisk:
    """Latch HALTED, durably, before anything is cancelled; the executor does the rest.

    An account that is halted stays so; closing its positions can be asked for later.
    """
    with database.transaction() as connection:
        before = locked_risk(connection, account)
        stored = StoredRisk(
            before.memory._replace(state=TradingState.HALTED, reason=why),
            is_closing=True,
            closes_positions=closes_positions or (before.is_closing and before.closes_positions),
            since=before.since,
        )
        _write(connection, account, stored)
        audit(
            connection, who=who, action="kill" if closes_positions else "halt", subject=account,
            why=why,
        )  # fmt: skip
    return read_risk(database, account)


def finish_halt(
    database: Database,
    account: str,
    *,
    detail: Mapping[str, object],
    tell: Callable[[psycopg.Connection[TupleRow], str], None],
) -> StoredRisk:
    """Write down that the broker has no order, and no position where those were to be closed.

    Args:
        database: The database.
        account: The account's name.
        detail: What is held, for the audit trail.
        tell: Tells people within the same transaction; takes the reason.
    """
    with database.transaction() as connection:
        before = locked_risk(connection, account)
        _write(
            connection, account,
            StoredRisk(before.memory, is_closing=False, closes_positions=False, since=before.since),
        )  # fmt: skip
        audit(
            connection, who="executor", action="halted", subject=account,
            why=before.memory.reason, detail=detail,
        )  # fmt: skip
        tell(connection, before.memory.reason)
    return read_risk(database, account)


def resume(database: Database, account: str, *, who: str, why: str) -> StoredRisk:
    """Let an account trade again; the drawdown counts from here.

    Raises:
        ParameterError: The halt is still at work, or there is none.
    """
    with database.transaction() as connection:
        before = locked_risk(connection, account)
        if before.is_closing:
            raise ParameterError(
                "account", account, "halted: its orders are still being cancelled",
                "wait until trading risk status shows HALTED, with trading live executor running",
            )  # fmt: skip
        if before.state is TradingState.ACTIVE:
            raise ParameterError(
                "account", account, "halted or reducing: it is ACTIVE", "there is nothing to resume"
            )
        after = resumed(before.memory)
        _write(
            connection, account,
            StoredRisk(after, is_closing=False, closes_positions=False, since=before.since),
        )  # fmt: skip
        audit(connection, who=who, action="resume", subject=account, why=why)
    return read_risk(database, account)


def _read(connection: psycopg.Connection[TupleRow], account: str, lock: str = "") -> StoredRisk:
    row = connection.execute((_READ + lock).encode(), [account]).fetchone()
    if row is None:
        raise ParameterError(
            "account", account, "a known account", "name one of trading risk status"
        )
    state, reason, is_closing, closes, memory, since = row
    return StoredRisk(_remembered(TradingState(state), reason, memory), is_closing, closes, since)


def _write(connection: psycopg.Connection[TupleRow], account: str, stored: StoredRisk) -> None:
    memory = stored.memory
    connection.execute(
        _WRITE,
        {
            "account": account,
            "state": memory.state.value,
            "reason": memory.reason,
            "is_closing": stored.is_closing,
            "closes": stored.closes_positions,
            "memory": Jsonb(
                {
                    "peak": str(memory.peak),
                    "equity": str(memory.equity),
                    "day_start": str(memory.day_start),
                    "session": memory.session,
                }
            ),
        },
    )


def _remembered(state: TradingState, reason: str, memory: Mapping[str, Any]) -> RiskState:
    """The memory of a row; money as text, because JSON's numbers would round it."""
    if not memory:
        return RiskState(state, reason)
    return RiskState(
        state,
        reason,
        Fraction(memory["peak"]),
        int(memory["equity"]),
        int(memory["day_start"]),
        int(memory["session"]),
    )
