"""`trading orders`, `positions`, `risk` and `paper`, over a real database and Alpaca's stand-in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.commands.live.services import executor as executor_command
from database.connection import Database
from database.orders.accounts import ensure_account, only_executor
from database.orders.audit import audit_trail
from flows.boundary.settings import settings
from tests.adapters.alpaca_trading import KEY_ID, SECRET, Json, TradingBooks
from tests.adapters.alpaca_trading_server import TradingServer
from tests.cli.in_process import answer, run
from tests.flows.trading.conftest import traded  # noqa: F401 - a fixture

pytestmark = pytest.mark.usefixtures("named_database")


def said(done: Result) -> str:
    return " ".join(done.output.split())


# On paper.


def test_without_an_account_each_says_how_to_get_one() -> None:
    assert answer("risk", "status") == {"accounts": []}
    for words in (("orders",), ("positions",), ("risk", "halt", "--why", "x")):
        done = run(*words)
        assert done.exit_code == 2
        assert "start one with trading live executor" in said(done)


@pytest.mark.usefixtures("traded")
def test_orders_and_positions_are_shown_to_the_last_digit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    [order] = answer("orders")["orders"]
    shown = {name: order[name] for name in ("symbol", "side", "quantity", "filled", "state")}
    assert shown == {
        "symbol": "AAPL", "side": "buy", "quantity": "100", "filled": "100", "state": "FILLED",
    }  # fmt: skip
    assert answer("orders", "--open")["orders"] == []
    assert "Account p has no orders." in run("orders", "--open").output
    now = answer("positions", "--account", "p")
    assert (now["equity"], now["cash"], now["fees"]) == ("10999", "-1", "1")
    [position] = now["positions"]
    assert (position["quantity"], position["average_price"]) == ("100", "100")
    # A pipe gets all of it, however few columns a terminal has.
    monkeypatch.setenv("COLUMNS", "40")
    assert order["created_at"] in run("orders").output
    assert "FILLED" in run("orders").output
    assert "Equity 10,999.00" in run("positions").output
    done = run("positions", "--account", "q")
    assert done.exit_code == 2
    assert "account='q' is not a known account (p)" in said(done)


@pytest.mark.usefixtures("traded")
def test_a_halt_holds_until_the_executor_is_done_and_a_person_resumes(
    database: Database,
) -> None:
    assert answer("risk", "status")["accounts"][0]["state"] == "ACTIVE"
    done = run("risk", "halt", "--why", "the feed looks wrong")
    assert done.exit_code == 0
    assert "No order of p is sent from now on; its executor cancels all orders" in said(done)
    [row] = answer("risk", "status", exit_code=3)["accounts"]
    assert (row["state"], row["reason"]) == ("HALTING", "the feed looks wrong")
    early = run("risk", "resume", "--why", "too early")
    assert early.exit_code == 2
    assert "its orders are still being cancelled" in said(early)
    told = answer("risk", "kill", "--yes", "--why", "sell it")
    assert told == {"account": "p", "state": "HALTING", "reason": "sell it"}
    database.rows.execute("UPDATE risk_state SET is_closing = false")
    assert answer("risk", "resume", "--why", "checked")["state"] == "ACTIVE"
    assert run("risk", "resume", "--why", "again").exit_code == 2
    deeds = [entry.action for entry in audit_trail(database, "p")]
    assert deeds == ["resume", "kill", "halt"]


@pytest.mark.usefixtures("traded")
def test_a_kill_that_is_not_confirmed_does_nothing() -> None:
    for said_no in ("n\n", ""):
        done = CliRunner().invoke(app, ["risk", "kill", "--why", "x"], input=said_no)
        assert done.exit_code == 1
        assert "close all its positions" in said(done)
        assert "Cancel all orders of p" in said(done)
        assert "nothing was changed; pass --yes where nobody can answer" in said(done)
    assert answer("risk", "status")["accounts"][0]["state"] == "ACTIVE"
    # Nobody is asked about an account that there is not.
    done = CliRunner().invoke(app, ["risk", "kill", "--why", "x", "--account", "q"], input="y\n")
    assert done.exit_code == 2
    assert "Cancel all" not in said(done)


@pytest.mark.usefixtures("traded")
def test_an_account_is_not_reset_without_a_yes() -> None:
    done = CliRunner().invoke(app, ["paper", "reset"], input="")
    assert done.exit_code == 1
    assert "Forget everything that p did?" in said(done)
    assert "pass --yes" in said(done)
    assert answer("orders")["orders"] != []


@pytest.mark.usefixtures("traded")
def test_a_paper_account_begins_anew_unless_it_is_in_use(
    database: Database,
) -> None:
    with only_executor(database, "p"):
        done = run("paper", "reset", "--yes")
        assert done.exit_code == 2
        assert "An executor trades in p; stop it, then run this again." in said(done)
    assert answer("orders")["orders"] != []
    assert answer("paper", "reset", "--yes") == {"account": "p", "orders_forgotten": 1}
    assert answer("orders")["orders"] == []
    assert answer("positions")["equity"] == "0"
    assert [entry.action for entry in audit_trail(database, "p")] == ["reset"]


def test_an_account_at_a_broker_is_not_reset(database: Database) -> None:
    ensure_account(database, "a", "alpaca", is_live=False)
    done = run("paper", "reset", "--yes")
    assert done.exit_code == 2
    assert "a is an account of alpaca, which only that broker can reset" in said(done)


# At Alpaca, where no executor runs.


@pytest.fixture
def server(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[TradingServer]:
    """A broker that holds 30 shares and an open order, and fills market orders at once."""
    ensure_account(database, "a", "alpaca", is_live=False)
    books = TradingBooks(lambda: datetime.now(UTC), cash=Decimal(1_000))
    with TradingServer(books).running() as running:
        monkeypatch.setenv("TRADING_ALPACA_KEY_ID", KEY_ID)
        monkeypatch.setenv("TRADING_ALPACA_SECRET_KEY", SECRET)
        monkeypatch.setenv("TRADING_ALPACA_TRADING_URL", running.url)
        settings.cache_clear()
        books.positions["AAPL"], books.costs["AAPL"] = Decimal(30), Decimal(3_000)
        body = {"symbol": "KO", "qty": "5", "side": "buy", "type": "limit", "limit_price": "1"}
        books.answer("POST", "/v2/orders", {}, body | {"time_in_force": "gtc"})
        books.listeners.append(lambda message: fill_market_order(books, message))
        yield running


def fill_market_order(books: TradingBooks, message: Json) -> None:
    told = message["data"]
    if told["event"] == "new" and told["order"]["type"] == "market":
        order = books.orders[told["order"]["id"]]
        books.fill(order, Decimal(order["qty"]), Decimal(110))


def test_a_kill_without_an_executor_empties_the_account_at_the_broker(
    server: TradingServer,
    database: Database,
) -> None:
    done = run("risk", "kill", "--yes", "--why", "it lost its mind")
    assert done.exit_code == 0, done.output
    assert "a is HALTED: the broker has no open order and no position of it." in said(done)
    assert server.books.open() == []
    assert server.books.positions["AAPL"] == 0
    assert answer("risk", "status", exit_code=3)["accounts"][0]["state"] == "HALTED"
    assert answer("positions")["positions"] == []
    assert [e.action for e in audit_trail(database, "a")][:2] == ["halted", "kill"]
    assert SECRET not in done.output


def test_a_halt_without_an_executor_keeps_positions(server: TradingServer) -> None:
    assert answer("risk", "halt", "--why", "x")["state"] == "HALTED"
    assert server.books.open() == []
    assert server.books.positions["AAPL"] == 30


def test_a_kill_that_the_broker_does_not_answer_holds_and_says_what_to_do(
    server: TradingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor_command, "HALT_SECONDS", 0.5)
    monkeypatch.setenv("TRADING_ALPACA_TRADING_URL", "http://127.0.0.1:9")
    settings.cache_clear()
    done = run("risk", "kill", "--yes", "--why", "x")
    assert done.exit_code == 1
    assert (
        "The halt of a holds, but the broker has not confirmed that all is cancelled and closed"
        in said(done)
    )
    assert "run the same command again" in said(done)
    # Which then works.
    monkeypatch.setattr(executor_command, "HALT_SECONDS", 60.0)
    monkeypatch.setenv("TRADING_ALPACA_TRADING_URL", server.url)
    settings.cache_clear()
    assert answer("risk", "kill", "--yes", "--why", "x")["state"] == "HALTED"
    assert server.books.positions["AAPL"] == 0


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(
    ("key", "words"), [(None, "alpaca_secret_key"), ("wrong", "refuses the keys")]
)
def test_a_kill_without_the_right_keys_holds_and_says_so(
    monkeypatch: pytest.MonkeyPatch, key: str | None, words: str
) -> None:
    if key is None:
        monkeypatch.delenv("TRADING_ALPACA_SECRET_KEY")
    else:
        monkeypatch.setenv("TRADING_ALPACA_SECRET_KEY", key)
    settings.cache_clear()
    done = run("risk", "kill", "--yes", "--why", "x")
    assert done.exit_code == 1
    assert "The halt of a holds, but nothing is cancelled yet" in said(done)
    assert words in said(done)
    assert "or run this again" in said(done)
    assert answer("risk", "status", exit_code=3)["accounts"][0]["state"] == "HALTING"
