"""`reconcile-orders`: whether our ledger and the broker say the same of each account."""

import asyncio
from dataclasses import dataclass

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from prefect.logging import get_run_logger

from adapters.brokers.alpaca.broker import AlpacaBroker
from adapters.brokers.alpaca.client import AlpacaClient
from adapters.brokers.protocol import Broker
from database.connection import Database
from database.orders.accounts import StoredAccount
from database.orders.events import working_orders
from database.orders.ledger import read_ledger
from flows.boundary.documented import documented
from flows.boundary.errors import UnfinishedError, domain_errors_fail_run
from flows.boundary.settings import settings
from flows.runs import rendering
from flows.trading.parameters import AccountName, account_database
from trading.execution.comparison import Difference, DifferenceKind, Held, compared
from trading.execution.desk import is_sent
from trading.portfolio.account import Account
from trading.units import from_units, to_dollars

PAUSE_SECONDS = 5.0
"""Before a second look: what was on its way to the ledger is there by then."""


@dataclass(frozen=True, slots=True)
class ReconciliationSummary:
    """What the comparison came to.

    Attributes:
        accounts: How many accounts were looked at.
        differences: What differs, a sentence each.
    """

    accounts: int
    differences: tuple[str, ...]


@flow(name="reconcile-orders", flow_run_name="reconcile-orders")
@domain_errors_fail_run
@documented
async def reconcile_orders(account: AccountName = None) -> ReconciliationSummary:
    """Compare orders, positions and cash with the broker, and change nothing.

    The executor adjusts; this says when it does not. Ends Failed when two looks differ.
    """
    found = await asyncio.to_thread(_looked, account)
    if any(found.values()):
        await asyncio.sleep(PAUSE_SECONDS)
        found = await asyncio.to_thread(_looked, account)
    sentences = tuple(
        f"{name}: {difference}" for name, differences in found.items() for difference in differences
    )
    summary = ReconciliationSummary(len(found), sentences)
    for sentence in sentences:
        get_run_logger().warning("%s", sentence)
    rows = [(name, len(differences) or "none") for name, differences in found.items()]
    await acreate_markdown_artifact(
        "\n\n".join(
            ["# Reconciliation", rendering.table(("account", "differences"), rows), *sentences]
        ),
        key="reconciliation",
        description=f"{len(sentences)} differences in {len(found)} accounts",
    )
    if any(d.blocks_trading for differences in found.values() for d in differences):
        message = f"Ledger and broker differ ({'; '.join(sentences)}); look at trading risk status."
        raise UnfinishedError(message, summary)
    return summary


def _looked(name: str | None) -> dict[str, list[Difference]]:
    """The differences of each account; a paper account's broker is the ledger itself."""
    with account_database(name) as (database, known):
        return {
            account.id: _differences(database, account) if account.broker == "alpaca" else []
            for account in known
        }


def _differences(database: Database, account: StoredAccount) -> list[Difference]:
    kept = settings()
    client = AlpacaClient(kept.alpaca_key_id, kept.alpaca_secret_key, kept.alpaca_trading_url)
    broker = AlpacaBroker(client)
    try:
        return difference_to(database, account.id, broker)
    finally:
        broker.close()


def difference_to(database: Database, account: str, broker: Broker) -> list[Difference]:
    """What the ledger and a broker do not say alike.

    Raises:
        BrokerError: The broker does not answer.
    """
    theirs = {order.order.client_order_id: order for order in broker.open_orders()}
    positions, told = broker.positions(), broker.account()
    ours = {order.name: order for order in working_orders(database, account) if not is_sent(order)}
    fold = Account.of(read_ledger(database, account))
    held = {
        symbol: Held(from_units(holding.quantity), holding.average_price)
        for symbol, holding in fold.open.items()
    }
    found = compared(held, positions, cash=to_dollars(fold.cash), their_cash=told.cash)
    for name in sorted(theirs.keys() - ours.keys()):
        asked = theirs[name].order.quantity
        found.append(
            Difference(
                kind=DifferenceKind.ORDER_UNKNOWN_HERE, subject=name, ours=asked - asked,
                theirs=asked,
            )
        )  # fmt: skip
    for name in sorted(ours.keys() - theirs.keys()):
        left = ours[name].remaining
        found.append(
            Difference(
                kind=DifferenceKind.ORDER_UNKNOWN_THERE, subject=name, ours=left,
                theirs=left - left,
            )
        )  # fmt: skip
    return found
