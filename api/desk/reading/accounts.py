"""Accounts, how trading stands in them, and what they were worth."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from api.desk.reading.rows import rows_of
from database.connection import Database
from trading.arrays import Floats, Timestamps

_ACCOUNTS = """
SELECT account.id, broker, is_live, coalesce(state, '') AS state, coalesce(reason, '') AS reason,
    coalesce(is_closing, false) AS is_closing, since
FROM account LEFT JOIN risk_state ON account_id = account.id
ORDER BY is_live DESC, account.id
"""

_RECONCILED = """
SELECT DISTINCT ON (account_id)
    account_id, cause, started_at, ended_at, agreed, jsonb_array_length(differences) AS differences
FROM reconciliation ORDER BY account_id, id DESC
"""

_SERIES = """
SELECT extract(epoch FROM max(at))::float8, (array_agg(equity ORDER BY at DESC))[1]::float8,
    (array_agg(deposits ORDER BY at DESC))[1]::float8, min(-abs(drawdown))
FROM (
    SELECT at, equity, deposits, drawdown,
        ntile(%(points)s) OVER (ORDER BY at) AS bucket
    FROM equity WHERE account_id = %(account)s AND at >= %(since)s
) AS chosen
GROUP BY bucket ORDER BY bucket
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account and how trading stands in it.

    Attributes:
        id: Its name.
        broker: Who keeps it.
        is_live: Whether its money is real.
        state: `ACTIVE`, `REDUCING` or `HALTED`; empty when the executor has never said.
        reason: Why it is not active.
        is_closing: Whether a kill switch is still at work.
        since: Since when; None when the executor has never said.
    """

    id: str
    broker: str
    is_live: bool
    state: str
    reason: str
    is_closing: bool
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation:
    """The last comparison of our books with the broker's.

    Attributes:
        account_id: The account.
        cause: Why it was made.
        started_at: When it began.
        ended_at: When it ended; None while it runs.
        agreed: Whether both agreed; None while it runs.
        differences: How many differences there were.
    """

    account_id: str
    cause: str
    started_at: datetime
    ended_at: datetime | None
    agreed: bool | None
    differences: int


@dataclass(frozen=True, slots=True, eq=False)
class WorthSeries:
    """An account's worth over time, arrays of shape (n,).

    Attributes:
        timestamps: UTC, increasing.
        equity: Dollars.
        deposits: Dollars paid in so far.
        drawdown: The deepest fall of the stretch that a point stands for, at most 0.
    """

    timestamps: Timestamps
    equity: Floats
    deposits: Floats
    drawdown: Floats


def accounts(database: Database) -> list[Account]:
    """All accounts, those with real money first."""
    return rows_of(database, Account, _ACCOUNTS)


def reconciliations(database: Database) -> dict[str, Reconciliation]:
    """The last reconciliation of each account."""
    found = rows_of(database, Reconciliation, _RECONCILED)
    return {one.account_id: one for one in found}


def worth_series(
    database: Database, account: str, since: datetime, points: int = 1_500
) -> WorthSeries:
    """An account's worth from a moment on, in at most so many points of equally many rows."""
    wanted = {"account": account, "since": since, "points": points}
    with database.transaction() as connection:
        found = connection.execute(_SERIES, wanted).fetchall()
    columns = np.array(found, np.float64).reshape(-1, 4).T
    stamps: Timestamps = np.rint(columns[0] * 1e6).astype("datetime64[us]").astype("datetime64[ns]")
    return WorthSeries(stamps, columns[1], columns[2], columns[3])
