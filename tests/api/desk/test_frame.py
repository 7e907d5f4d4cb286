"""The frame's texts say what the database says, and how old it is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from api.desk import shown
from api.desk.frame import frame_of
from api.desk.state import StateReader
from database.connection import Database
from database.orders.standing import last_prices
from tests.api.desk.seed import ACCOUNT, LIMITS, NOW
from trading.risk.limits import RiskLimits
from trading.units import to_dollars


def one(database: Database, statement: str) -> object:
    row = database.rows.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def test_figures_are_those_of_the_tables(database: Database) -> None:
    fields, lists = frame_of(StateReader().read(database, NOW), LIMITS)
    equity = one(database, "SELECT equity FROM equity ORDER BY at DESC LIMIT 1")
    before = one(
        database,
        "SELECT equity FROM equity WHERE at < '2026-11-25 00:00-05' ORDER BY at DESC LIMIT 1",
    )
    assert isinstance(equity, Decimal)
    assert isinstance(before, Decimal)
    assert fields[f"{ACCOUNT}/equity"].text == shown.money(equity)
    assert fields[f"{ACCOUNT}/day"].text == shown.signed_money(equity - before)
    drawdown = one(database, "SELECT drawdown FROM equity ORDER BY at DESC LIMIT 1")
    assert isinstance(drawdown, float)
    assert fields[f"{ACCOUNT}/drawdown"].share == pytest.approx(drawdown / 0.15)
    assert fields[f"{ACCOUNT}/orders"].text == "2"
    assert fields["alerts"].text == "2"
    assert fields["market"].text == "Market open, closes in 1 h 27 min"
    held = {row.key: row.cells[1].text for row in lists[f"{ACCOUNT}/positions"]}
    sums = database.rows.execute(
        "SELECT symbol, sum(quantity) FROM execution GROUP BY symbol HAVING sum(quantity) <> 0"
    ).fetchall()
    assert held == {symbol: shown.quantity(quantity) for symbol, quantity in sums}


def test_positions_and_cash_make_the_equity_of_the_ledger(database: Database) -> None:
    state = StateReader().read(database, NOW)
    books = state.accounts[0].books
    worth = state.accounts[0].worth
    assert worth is not None
    assert to_dollars(books.account.equity) == worth.equity


def test_desk_and_books_have_one_last_price_also_after_a_late_correction(
    database: Database,
) -> None:
    """Fails when the bar that became known last counts, not the one that ended last."""
    newest = one(database, "SELECT max(ts) FROM live_bar WHERE symbol = 'AAPL'")
    database.rows.execute(
        "INSERT INTO live_bar (symbol, interval, ts, open, high, low, close, volume, revision, "
        "available_at) VALUES ('AAPL', '3m', %(at)s::timestamptz - interval '1 hour', 1, 1, 1, 1, "
        "1, 1, %(at)s::timestamptz + interval '10 minutes')",
        {"at": newest},
    )
    desk = StateReader().read(database, NOW).prices
    books = last_prices(database, sorted(desk))
    assert {name: price.close for name, price in books.items()} == {
        name: price.price for name, price in desk.items()
    }
    assert desk["AAPL"].price != 1.0


def test_a_deposit_is_no_profit_of_the_day(database: Database) -> None:
    reader = StateReader()
    before = frame_of(reader.read(database, NOW), LIMITS)[0][f"{ACCOUNT}/day"].text
    database.rows.execute(
        "INSERT INTO equity SELECT account_id, at + interval '1 second', equity + 5000, "
        "cash + 5000, deposits + 5000, realized, unrealized, fees, gross, drawdown "
        "FROM equity ORDER BY at DESC LIMIT 1"
    )
    fields, _ = frame_of(reader.read(database, NOW), LIMITS)
    assert fields[f"{ACCOUNT}/day"].text == before
    assert fields[f"{ACCOUNT}/equity"].text != before


def test_old_figures_are_marked_while_the_market_is_open(database: Database) -> None:
    reader = StateReader()
    fresh, _ = frame_of(reader.read(database, NOW), LIMITS)
    later, lists = frame_of(reader.read(database, NOW + timedelta(minutes=20)), LIMITS)
    night, _ = frame_of(reader.read(database, NOW + timedelta(hours=8)), LIMITS)
    for name in ("price/AAPL", "data", f"{ACCOUNT}/equity", f"{ACCOUNT}/gross"):
        assert (fresh[name].stale, later[name].stale, night[name].stale) == (False, True, False)
    assert all(row.cells[3].stale for row in lists[f"{ACCOUNT}/positions"])


def test_a_correction_of_the_last_bar_replaces_its_price(database: Database) -> None:
    reader = StateReader()
    reader.read(database, NOW)
    database.rows.execute(
        "UPDATE live_bar SET high = 300, close = 299.5, revision = 1, available_at = "
        "available_at + interval '20 seconds' WHERE symbol = 'AAPL' AND ts = "
        "(SELECT max(ts) FROM live_bar)"
    )
    # A bar of another length that ended before, and was corrected after.
    database.rows.execute(
        "INSERT INTO live_bar SELECT symbol, '8m', ts - interval '10 minutes', open, high, low, "
        "open, volume, vwap, trades, 1, available_at + interval '30 seconds' FROM live_bar "
        "WHERE symbol = 'MSFT' AND ts = (SELECT max(ts) FROM live_bar)"
    )
    before = reader.read(database, NOW)
    fields, _ = frame_of(before, LIMITS)
    last = one(
        database,
        "SELECT close FROM live_bar WHERE symbol = 'MSFT' AND interval = '5m' "
        "ORDER BY ts DESC LIMIT 1",
    )
    assert fields["price/AAPL"].text == "299.50"
    assert fields["price/MSFT"].text == shown.price(last)  # type: ignore[arg-type]


def test_a_fill_changes_positions_and_another_reading_without_one_does_not(
    database: Database,
) -> None:
    reader = StateReader()
    first = reader.read(database, NOW).accounts[0].books
    assert reader.read(database, NOW).accounts[0].books is first
    database.rows.execute(
        "INSERT INTO execution (account_id, execution_id, client_order_id, symbol, quantity, "
        "price, fee, at) VALUES (%s, 'x-1', 'nvda-limit', 'NVDA', 40, 134.5, 0.54, %s)",
        [ACCOUNT, NOW],
    )
    _, lists = frame_of(reader.read(database, NOW), LIMITS)
    assert "NVDA" in {row.key for row in lists[f"{ACCOUNT}/positions"]}


def test_missing_limits_are_shown(database: Database) -> None:
    fields, _ = frame_of(StateReader().read(database, NOW), RiskLimits())
    assert fields[f"{ACCOUNT}/gross_note"].text == "no limit set"
    assert fields[f"{ACCOUNT}/gross"].share is None


def test_a_halt_at_work_is_not_called_halted(database: Database) -> None:
    database.rows.execute("UPDATE risk_state SET state = 'HALTED', is_closing = true, reason = 'x'")
    fields, _ = frame_of(StateReader().read(database, NOW), LIMITS)
    assert fields[f"{ACCOUNT}/trading"].text == "Halting: x"
    assert fields[f"{ACCOUNT}/trading"].tone == "bad"


def test_a_database_without_rows_has_a_frame(database: Database) -> None:
    database.rows.execute("TRUNCATE live_bar, bar_1d, account, alert_state, alert_event CASCADE")
    fields, lists = frame_of(StateReader().read(database, NOW), LIMITS)
    assert fields["data"].text == "no prices yet"
    assert lists == {"watch": ()}
