"""`performance-report`: returns, Sharpe, drawdown and trades of each account."""

import asyncio
import itertools
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from database.connection import Database
from database.orders.equity import EquityPoint, equity_between
from database.orders.standing import read_standing
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.runs import rendering
from flows.trading.parameters import AccountName, Days, account_database
from trading.instruments.clock import NEW_YORK

SESSIONS_PER_YEAR = 252
"""How empyrical annualises daily returns."""

COLUMNS = ("account", "equity", "return", "Sharpe", "max drawdown", "round trips", "win rate")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPerformance:
    """How one account did.

    Attributes:
        account: Its name.
        equity: Dollars now.
        total_return: Of a unit, deposits apart, a fraction; None without two days.
        sharpe: Mean over standard deviation (ddof 1) of daily returns, annualised; None where it
            cannot be told.
        max_drawdown: The deepest fall of a unit, a fraction.
        round_trips: Positions that ended.
        win_rate: Share of them that earned something; None without any.
    """

    account: str
    equity: Decimal
    total_return: float | None
    sharpe: float | None
    max_drawdown: float
    round_trips: int
    win_rate: float | None


@flow(name="performance-report", flow_run_name="performance-report")
@domain_errors_fail_run
@documented
async def performance_report(
    account: AccountName = None, days: Days = 365
) -> list[AccountPerformance]:
    """Measure each account by the points of its equity, the last of each New York day."""
    found = await asyncio.to_thread(_measured, account, days)
    rows = [
        [
            own.account, f"{own.equity:,.2f}",
            *(rendering.value_text(value) for value in (
                own.total_return, own.sharpe, own.max_drawdown, own.round_trips, own.win_rate,
            )),
        ]
        for own in found
    ]  # fmt: skip
    await acreate_markdown_artifact(
        f"# Performance of {days} days\n\n{rendering.table(COLUMNS, rows)}",
        key="performance",
        description=f"{len(found)} accounts",
    )
    return found


def _measured(name: str | None, days: int) -> list[AccountPerformance]:
    end = datetime.now(UTC)
    with account_database(name) as (database, known):
        return [
            _account(database, account.id, end - timedelta(days=days), end) for account in known
        ]


def _account(
    database: Database, account: str, start: datetime, end: datetime
) -> AccountPerformance:
    now = read_standing(database, account)
    points = equity_between(database, account, start, end)
    returns = daily_unit_returns(points)
    deviation = float(np.std(returns, ddof=1)) if len(returns) > 1 else 0.0
    return AccountPerformance(
        account=account,
        equity=now.equity,
        total_return=float(np.prod(1.0 + returns) - 1.0) if len(returns) else None,
        sharpe=float(np.mean(returns)) / deviation * math.sqrt(SESSIONS_PER_YEAR)
        if deviation > 0
        else None,
        max_drawdown=max((point.drawdown for point in points), default=0.0),
        round_trips=now.round_trips,
        win_rate=now.wins / now.round_trips if now.round_trips else None,
    )


def daily_unit_returns(points: list[EquityPoint]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Returns from day to day; what is paid in within a day counts as there from its start."""
    last: dict[object, EquityPoint] = {}
    for point in points:
        last[point.at.astimezone(NEW_YORK).date()] = point
    days = list(last.values())
    found = []
    for before, after in itertools.pairwise(days):
        invested = before.equity + after.deposits - before.deposits
        found.append(float(after.equity / invested) - 1.0 if invested > 0 else 0.0)
    return np.array(found, np.float64)
