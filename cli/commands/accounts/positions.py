"""`trading positions`: what an account holds."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from cli.commands.accounts.account import chosen, opened
from cli.display.tables import table_console
from cli.pipeline.query import as_json
from trading.portfolio.standing import Standing
from trading.units import plain_text

_COLUMNS = ("symbol", "quantity", "average_price", "last_price", "value", "unrealized")


def run_positions(server_dir: Path, account: str | None, *, as_object: bool) -> None:
    """Print it."""
    with opened(server_dir) as database:
        from database.orders.standing import read_standing  # noqa: PLC0415 - an extra brings it

        found = chosen(database, account)
        now = read_standing(database, found.id)
    if as_object:
        typer.echo(as_json({"account": found.id, **fields(now)}))
        return
    console = table_console()
    table = Table(title=f"Positions of {found.id}", title_justify="left", box=None)
    for name in _COLUMNS:
        table.add_column(name, justify="left" if name == "symbol" else "right", overflow="fold")
    for position in now.positions:
        row = dataclasses.asdict(position)
        table.add_row(*(_shown(row[name]) for name in _COLUMNS))
    console.print(table if now.positions else f"Account {found.id} holds nothing.")
    console.print(
        f"Equity {now.equity:,.2f}, cash {now.cash:,.2f}, deposits {now.deposits:,.2f}, realized "
        f"{now.realized:,.2f}, unrealized {now.unrealized:,.2f}, fees {now.fees:,.2f}."
    )


def fields(now: Standing) -> dict[str, Any]:
    """How it stands; numbers as text that reads back exactly."""
    return {name: _exact(value) for name, value in dataclasses.asdict(now).items()}


def _exact(value: Any) -> Any:  # noqa: ANN401 - any field's
    if isinstance(value, Decimal):
        return plain_text(value)
    if isinstance(value, list | tuple):
        return [_exact(item) for item in value]
    if isinstance(value, dict):
        return {name: _exact(item) for name, item in value.items()}
    return value


def _shown(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, Decimal) else str(value)
