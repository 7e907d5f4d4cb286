"""What the terminal shows."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

from rich.console import Console

from cli.commands.live.all_in_one.observation import Observation
from cli.commands.live.all_in_one.supervisor import Supervisor
from cli.commands.live.all_in_one.table import live_table
from cli.commands.live.all_in_one.worth import Worth
from database.connection import Database
from database.orders.accounts import ensure_account
from database.orders.equity import EquityPoint, write_equity
from live.bus.port import Bus
from live.stream.source import time_tick
from trading.events import CLOCK, Stream, Tick

NOON = datetime(2024, 7, 3, 16, tzinfo=UTC)


def worth_of(database: Database, equity: str, deposits: str, minute: int) -> None:
    point = EquityPoint(
        at=NOON.replace(minute=minute), equity=Decimal(equity), cash=Decimal(0),
        deposits=Decimal(deposits), realized=Decimal(0), unrealized=Decimal(0), fees=Decimal(0),
        gross=Decimal(0), drawdown=0.0,
    )  # fmt: skip
    with database.transaction() as connection:
        write_equity(connection, "paper", point)


def test_a_new_accounts_profit_is_that_over_what_was_paid_in(database: Database) -> None:
    ensure_account(database, "paper", "paper", is_live=False)
    worth = Worth(database.url, "paper")
    worth.look(now=True)
    assert (worth.equity, worth.profit) == (None, None)
    worth_of(database, "100250.5", "100000", 1)
    worth.look(now=True)
    assert (worth.equity, worth.profit) == (Decimal("100250.5"), Decimal("250.5"))


def test_an_older_accounts_profit_begins_with_the_command(database: Database) -> None:
    ensure_account(database, "paper", "paper", is_live=False)
    worth_of(database, "100250.5", "100000", 1)
    worth = Worth(database.url, "paper")
    worth_of(database, "100200", "100000", 2)
    worth.look(now=True)
    assert worth.profit == Decimal("-50.5")


def test_it_fits_into_80_columns(database: Database, bus: Bus, tmp_path: Path) -> None:
    ensure_account(database, "paper", "paper", is_live=False)
    worth_of(database, "1234567.89", "1000000", 1)
    seen, worth = Observation(bus, 0), Worth(database.url, "paper")
    worth.look(now=True)
    moment = int(NOON.timestamp()) * 10**9
    names = [f"SYMBOL{number}" for number in range(14)]
    bus.publish_many(
        Stream.TICKS, [*((n, Tick(n, moment, 12_345.67, 1.0, 1)) for n in names),
                       (CLOCK, time_tick(moment))],
    )  # fmt: skip
    seen.look()
    console = Console(width=80, record=True, file=StringIO())
    console.print(live_table(seen, worth, Supervisor(tmp_path, {})))
    lines = console.export_text().splitlines()
    assert max(map(len, lines)) <= 80
    assert "2024-07-03 12:00:00 New York" in lines[0]
    assert "14 ticks" in lines[1]
    assert "equity 1,234,567.89" in lines[2]
    assert [line.split()[1] for line in lines if line.startswith("SYMBOL")] == ["12,345.67"] * 12
    assert "and 2 more symbols" in lines
