"""`trading orders`: the latest orders of an account."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.table import Table

from cli.commands.accounts.account import chosen, opened
from cli.display.tables import table_console
from cli.pipeline.query import as_json
from trading.execution.desk import TrackedOrder
from trading.units import plain_text

_COLUMNS = ("created_at", "symbol", "side", "quantity", "filled", "state", "reason")


def run_orders(
    server_dir: Path, account: str | None, most: int, *, open_only: bool, as_object: bool
) -> None:
    """Print them, oldest first."""
    with opened(server_dir) as database:
        from database.orders.events import recent_orders, working_orders  # noqa: PLC0415

        found = chosen(database, account)
        listed = (
            working_orders(database, found.id)[-most:]
            if open_only
            else recent_orders(database, found.id, most)
        )
    rows = [fields(order) for order in listed]
    if as_object:
        typer.echo(as_json({"account": found.id, "orders": rows}))
        return
    table = Table(title=f"Orders of {found.id}", title_justify="left", box=None)
    for name in _COLUMNS:
        table.add_column(
            name, justify="right" if name in {"quantity", "filled"} else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(str(row[name]) for name in _COLUMNS))
    table_console().print(table if rows else f"Account {found.id} has no orders.")


def fields(order: TrackedOrder) -> dict[str, object]:
    """An order as it is printed; numbers as text that reads back exactly."""
    asked, status = order.intent.order, order.status
    return {
        "client_order_id": order.name,
        "broker_order_id": order.broker_order_id or None,
        "created_at": order.intent.created_at.isoformat(timespec="seconds"),
        "strategy": asked.strategy,
        "symbol": asked.symbol,
        "side": asked.side.name.lower(),
        "type": asked.type.value,
        "leg": asked.leg.value,
        "quantity": plain_text(asked.quantity),
        "filled": plain_text(status.filled),
        "state": status.state.value,
        "reason": status.reason,
        "flags": list(status.flags),
    }
