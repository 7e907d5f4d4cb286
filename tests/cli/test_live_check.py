"""`trading live check`, with a real database and a real API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.services import Services
from cli.app import app
from cli.commands.live.check import PROCESSES
from database.api.pool import DatabasePool
from database.connection import Database
from database.live.bars import save_live_bars
from database.live.heartbeats import ServiceState, beat
from database.live.signals import save_signals
from database.orders.accounts import ensure_account
from database.orders.events import record_intent
from tests.api.conftest import served
from trading.events import BarClosed, SignalMade
from trading.execution.intent import Intent
from trading.instruments.clock import nanoseconds_of
from trading.orders.history import OrderEvent, OrderEventKind
from trading.orders.model import Order, Side

BAR = datetime(2024, 7, 3, 13, 30, tzinfo=UTC)
TS = nanoseconds_of(BAR)
MINUTE = 60 * 10**9


pytestmark = pytest.mark.usefixtures("named_database")


def check(*words: str) -> Result:
    return CliRunner().invoke(app, ["live", "check", "--wait", "0", *words])


def say(
    database: Database, service: str, state: ServiceState = "running", began: datetime = BAR
) -> None:
    beat(database, service, "one", started_at=began, state=state, detail={})


def all_run(database: Database) -> None:
    for service in PROCESSES:
        say(database, service)


def store_bar_and_signal(database: Database) -> None:
    available = TS + MINUTE
    save_live_bars(database, [BarClosed("A", "1m", TS, 1.0, 9.0, 0.5, 2.0, 10.0, available)])
    save_signals(database, [SignalMade("rsi", "f", "A", "1m", TS, "buy", 2.0, available)])


def store_order(
    database: Database,
    *,
    bar: int = TS,
    kind: OrderEventKind = OrderEventKind.SUBMITTED,
) -> None:
    ensure_account(database, "paper", "paper", is_live=False)
    order = Order(
        client_order_id="a", symbol="A", side=Side.BUY, quantity=Decimal(7),
        strategy="rsi",
    )  # fmt: skip
    intent = Intent(
        account="paper", order=order, bar=bar, created_at=BAR, fingerprint="f", interval="1m"
    )
    kinds = (OrderEventKind.INITIALIZED, kind)
    events = [OrderEvent(kind=one, at=BAR) for one in kinds]
    with database.transaction() as connection:
        record_intent(connection, intent, events)


def test_each_process_that_gives_no_sign_of_life_is_named(database: Database) -> None:
    for service in ("stream", "signals", "executor"):
        say(database, service)
    say(database, "alerts", "starting")
    done = check()
    assert done.exit_code == 1
    assert "windows sends no heartbeat; alerts sends no heartbeat; look" in done.stderr
    assert "stream sends" not in done.stderr
    all_run(database)
    done = check()
    assert done.exit_code == 0
    assert "These run: stream, windows, signals, alerts, executor." in done.stdout


def test_an_old_sign_of_life_is_none(database: Database) -> None:
    all_run(database)
    old = datetime.now(UTC) - timedelta(minutes=2)
    with database.transaction() as connection:
        connection.execute("UPDATE service_heartbeat SET beat_at = %s", [old])
    assert "stream sends no heartbeat" in check().stderr


def test_an_order_counts_when_it_came_of_a_signal_on_a_live_bar(
    database: Database,
) -> None:
    all_run(database)
    store_order(database)
    assert "no order has come of a signal on a live bar" in check("--order").stderr
    store_bar_and_signal(database)
    done = check("--order", "--account", "paper")
    assert done.exit_code == 0, done.stderr
    assert "From bar to order: A at 2024-07-03 13:30 UTC (1m), rsi, buy 7, submitted" in done.stdout
    assert check("--order", "--account", "other").exit_code == 1


def test_an_order_of_an_executor_that_is_gone_does_not_count(database: Database) -> None:
    all_run(database)
    store_bar_and_signal(database)
    store_order(database)
    assert check("--order").exit_code == 0
    say(database, "executor", began=datetime.now(UTC))
    done = check("--order")
    assert done.exit_code == 1
    assert "on a live bar since the executor began; look" in done.stderr


def test_an_order_of_another_bar_does_not_count(database: Database) -> None:
    all_run(database)
    store_bar_and_signal(database)
    store_order(database, bar=TS + MINUTE)
    assert check("--order").exit_code == 1


def test_an_order_that_the_gate_denied_does_not_count(database: Database) -> None:
    all_run(database)
    store_bar_and_signal(database)
    store_order(database, kind=OrderEventKind.DENIED)
    assert check("--order").exit_code == 1


def test_the_api_is_asked_where_it_is_named(
    database: Database,
    database_url: str,
    tmp_path: Path,
) -> None:
    all_run(database)
    services = Services(
        database=DatabasePool(database_url), lake_dir=str(tmp_path), keys_needed=False
    )
    with served(services) as url:
        done = check("--api", url)
        assert (done.exit_code, done.stdout) == (
            0,
            f"These run: {', '.join(PROCESSES)}.\nThe API at {url} answers.\n",
        )
        assert f"the API at {url}/x answers with 404" in check("--api", f"{url}/x").stderr
    assert f"the API at {url} does not answer (ConnectError)" in check("--api", url).stderr
