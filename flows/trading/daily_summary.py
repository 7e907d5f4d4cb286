"""`daily-summary`: what each account did today, and how it stands."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated

from prefect import flow
from prefect.artifacts import acreate_markdown_artifact
from pydantic import Field

from database.alerts.outbox import tell
from database.connection import Database
from database.day_counts import DayCounts, day_counts
from database.orders.equity import day_start
from database.orders.ledger import read_ledger
from database.orders.risk import read_risk
from database.orders.standing import read_standing
from flows.boundary.documented import documented
from flows.boundary.errors import domain_errors_fail_run
from flows.runs import rendering
from flows.trading.addressees import addressees
from flows.trading.parameters import AccountName, account_database
from trading.instruments.clock import NEW_YORK, midnight, nanoseconds_of
from trading.portfolio.ledger import EventKind

COLUMNS = ("account", "state", "equity", "change", "fills", "orders", "denied", "open positions")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDay:
    """One account's day.

    Attributes:
        account: Its name.
        state: What it may do.
        equity: Dollars now.
        change: Profit of the day, as on the desk; None when no point of the equity was kept.
        fills: How many.
        orders: How many were made.
        denied: How many of them our gate refused.
        positions: How many are open.
    """

    account: str
    state: str
    equity: Decimal
    change: Decimal | None
    fills: int
    orders: int
    denied: int
    positions: int


@flow(name="daily-summary", flow_run_name="daily-summary")
@domain_errors_fail_run
@documented
async def daily_summary(
    day: Annotated[
        date | None,
        Field(description="The day, in New York. Empty: today.", examples=["2026-01-05"]),
    ] = None,
    account: AccountName = None,
) -> list[AccountDay]:
    """Sum up the day of each account in an artifact, and tell the channels of notifications.

    Each channel is told once of a day, however often this runs.
    """
    asked = day or datetime.now(NEW_YORK).date()
    found, counts = await asyncio.to_thread(_days, account, asked)
    rows = [
        (
            own.account, own.state, f"{own.equity:,.2f}",
            "unknown" if own.change is None else f"{own.change:+,.2f}",
            own.fills, own.orders, own.denied, own.positions,
        )
        for own in found
    ]  # fmt: skip
    told = _text(found, counts)
    await asyncio.to_thread(_tell, asked, told)
    others = "\n".join(f"- {line}" for line in _counted(counts))
    await acreate_markdown_artifact(
        f"# {asked.isoformat()}\n\n{rendering.table(COLUMNS, rows)}\n\n{others}",
        key="daily-summary",
        description=f"{asked.isoformat()}: {sum(own.fills for own in found)} fills",
    )
    return found


def _days(name: str | None, day: date) -> tuple[list[AccountDay], DayCounts]:
    start = midnight(day).astimezone(UTC)
    end = midnight(day + timedelta(days=1)).astimezone(UTC)
    with account_database(name) as (database, known):
        days = [_day(database, account.id, start, end) for account in known]
        return days, day_counts(database, start, end)


def _counted(counts: DayCounts) -> list[str]:
    return [
        f"{counts.signals:,} signals to buy or sell",
        f"{counts.alerts:,} alerts, of which {counts.firing:,} fire now",
        f"{counts.open_gaps:,} sessions lack bars, {counts.corrections:,} values were corrected",
    ]


def _text(days: Sequence[AccountDay], counts: DayCounts) -> str:
    lines = [
        f"{own.account}: {own.equity:,.2f}, "
        f"{'unknown' if own.change is None else f'{own.change:+,.2f}'} today, {own.fills} fills, "
        f"{own.denied} of {own.orders} orders denied, {own.positions} positions, {own.state}"
        for own in days
    ]
    return "\n".join([*lines, *_counted(counts)])


def _tell(day: date, text: str) -> None:
    """Put the summary into the outbox; `trading live alerts` sends it."""
    with account_database(None) as (database, _):
        title, identity = f"Summary of {day.isoformat()}", f"daily-summary:{day.isoformat()}"
        channels = addressees(database).channels
        tell(database, channels, (title, text), identity, datetime.now(UTC))


def _day(database: Database, account: str, start: datetime, end: datetime) -> AccountDay:
    now = read_standing(database, account, end)
    first = day_start(database, account, start)
    change = None if first is None else (now.equity - now.deposits) - first.earned
    began, ended = nanoseconds_of(start), nanoseconds_of(end)
    fills = [
        event
        for event in read_ledger(database, account)
        if event.kind is EventKind.FILL and began <= event.timestamp < ended
    ]
    with database.transaction() as connection:
        counted = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM order_event e WHERE "
            "e.account_id = i.account_id AND e.client_order_id = i.client_order_id AND "
            "e.kind = 'denied')) FROM intent i WHERE account_id = %s AND created_at >= %s "
            "AND created_at < %s",
            [account, start, end],
        ).fetchone()
    orders, denied = counted or (0, 0)
    return AccountDay(
        account=account,
        state=read_risk(database, account).shown,
        equity=now.equity,
        change=change,
        fills=len(fills),
        orders=int(orders),
        denied=int(denied),
        positions=len(now.positions),
    )
