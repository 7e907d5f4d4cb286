"""`analyze-trades`: which strategy earned what in which symbol, and what it cost."""

import asyncio
from decimal import Decimal

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact

from database.connection import Database
from database.orders.intents import read_decisions
from database.orders.ledger import read_ledger
from database.orders.standing import mark_at_last_prices
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.runs import rendering
from flows.trading.parameters import AccountName, account_database
from trading.portfolio.attribution import attribution

PARTS = ("price", "dividends", "fees", "slippage", "total")


@flow(name="analyze-trades", flow_run_name="analyze-trades")
@domain_errors_fail_run
@documented
async def analyze_trades(account: AccountName = None) -> dict[str, dict[str, Decimal]]:
    """Attribute what each account earned to strategy and symbol.

    Price at the decisions' prices, dividends, fees, and slippage against the decisions; the parts
    add up to the change of equity to the last digit. Returns the sums of each account.
    """
    found = await asyncio.to_thread(_shared_out, account)
    parts = ["# Trades"]
    for name, rows in found.items():
        shown = [[*key, *(f"{row[part]:,.2f}" for part in PARTS)] for key, row in rows.items()]
        parts += [f"## {name}", rendering.table(("strategy", "symbol", *PARTS), shown)]
    await acreate_markdown_artifact(
        "\n\n".join(parts), key="trades", description=f"Attribution of {len(found)} accounts"
    )
    return {
        name: {part: sum((row[part] for row in rows.values()), Decimal(0)) for part in PARTS}
        for name, rows in found.items()
    }


Rows = dict[tuple[str, str], dict[str, Decimal]]


def _shared_out(name: str | None) -> dict[str, Rows]:
    with account_database(name) as (database, known):
        return {account.id: _attributed(database, account.id) for account in known}


def _attributed(database: Database, account: str) -> Rows:
    ledger = read_ledger(database, account)
    fold = mark_at_last_prices(database, ledger)
    shares = attribution(ledger, read_decisions(database, account), fold)
    return {key: share.dollars() for key, share in sorted(shares.items())}
