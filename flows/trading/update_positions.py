"""`update-positions`: every account valued at the last prices, kept and shown."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from database.orders.equity import EquityPoint, write_equity
from database.orders.risk import read_risk
from database.orders.standing import read_standing
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.runs import rendering
from flows.trading.parameters import AccountName, account_database
from trading.portfolio.standing import Standing
from trading.units import to_money

COLUMNS = ("symbol", "quantity", "average_price", "last_price", "value", "unrealized")


@dataclass(frozen=True, slots=True)
class PositionsSummary:
    """What was valued.

    Attributes:
        equity: Dollars of each account, exactly.
        positions: How many are open in all.
    """

    equity: dict[str, Decimal]
    positions: int


@flow(name="update-positions", flow_run_name="update-positions")
@domain_errors_fail_run
@documented
async def update_positions(account: AccountName = None) -> PositionsSummary:
    """Value positions at the last prices and keep a point of each account's equity.

    Positions are a fold over the ledger; nothing but that point is written.
    """
    found = await asyncio.to_thread(_valued, account)
    parts = ["# Positions"]
    for name, now in found.items():
        rows = [[getattr(position, column) for column in COLUMNS] for position in now.positions]
        parts += [f"## {name}: equity {now.equity:,.2f}", rendering.table(COLUMNS, rows)]
    count = sum(len(now.positions) for now in found.values())
    await acreate_markdown_artifact(
        "\n\n".join(parts), key="positions", description=f"{count} open positions"
    )
    return PositionsSummary({name: now.equity for name, now in found.items()}, count)


def _valued(name: str | None) -> dict[str, Standing]:
    at = datetime.now(UTC)
    found = {}
    with account_database(name) as (database, known):
        for account in known:
            now = found[account.id] = read_standing(database, account.id)
            peak = float(read_risk(database, account.id).memory.peak)
            fallen = 1.0 - to_money(round(now.equity, 9)) / peak if peak > 0 else 0.0
            point = EquityPoint.of(now, at, max(0.0, fallen))
            with database.transaction() as connection:
                write_equity(connection, account.id, point)
    return found
