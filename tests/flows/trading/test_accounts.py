"""What the flows about accounts say, over a real database; their artifacts are Prefect's."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from pydantic import SecretStr

from adapters.brokers.alpaca.broker import AlpacaBroker
from adapters.brokers.alpaca.client import AlpacaClient
from database.alerts.addressees import addressees_told
from database.alerts.outbox import notifications
from database.alerts.rules import put_rule
from database.connection import Database
from database.live.bars import save_live_bars
from database.live.heartbeats import beat
from database.orders.equity import EquityPoint, write_equity
from database.orders.standing import read_standing
from flows.boundary.settings import settings
from flows.trading.analyze_trades import _shared_out
from flows.trading.daily_summary import _days, _tell, _text
from flows.trading.monitor_risk import _measured, _told
from flows.trading.performance_report import daily_unit_returns
from flows.trading.reconcile_orders import _looked, difference_to
from flows.trading.update_positions import _valued
from tests.adapters.alpaca_trading import KEY_ID, SECRET, InProcess, TradingBooks
from tests.live.executor.world import Clock, moment
from tests.trading.backtest.markets import START
from trading.alerts.rules import alert_rule
from trading.errors import ParameterError
from trading.events import BarClosed
from trading.execution.comparison import DifferenceKind
from trading.instruments.clock import NEW_YORK, nanoseconds_of


def test_positions_are_valued_at_the_last_prices_and_a_point_is_kept(
    traded: str, database: Database
) -> None:
    now = _valued(None)[traded]
    assert now.equity == Decimal(10_999)
    assert [int(x) for x in (now.cash, now.realized, now.unrealized, now.fees)] == [-1, 0, 1000, 1]
    assert now.equity - now.deposits == now.realized + now.unrealized - now.fees
    [position] = now.positions
    found = (position.quantity, position.average_price, position.last_price)
    assert [int(value) for value in found] == [100, 100, 110]
    row = database.rows.execute("SELECT equity FROM equity ORDER BY at DESC LIMIT 1").fetchone()
    assert row == (Decimal(10_999),)


def test_the_days_summary_counts_its_fills_and_its_change(traded: str) -> None:
    [day], counts = _days(None, date(2024, 1, 2))
    assert (day.fills, day.orders, day.denied, day.positions) == (1, 1, 0, 1)
    assert day.change == Decimal(999)
    told = _text([day], counts)
    assert f"{traded}: 10,999.00, +999.00 today, 1 fills" in told
    assert "0 sessions lack bars" in told
    [before], _ = _days(traded, date(2024, 1, 1))
    assert (before.fills, before.orders, before.change) == (0, 0, None)


def test_a_days_change_counts_from_the_last_point_before_it(
    traded: str, database: Database
) -> None:
    """The desk's P&L of the day is the same figure."""
    opened = datetime(2024, 1, 3, 9, 31, tzinfo=NEW_YORK)
    start = nanoseconds_of(opened)
    bar = BarClosed("AAPL", "1m", start, 120.0, 120.0, 120.0, 120.0, 1.0, start + 60 * 10**9)
    save_live_bars(database, [bar])
    with database.transaction() as connection:
        write_equity(connection, traded, EquityPoint.of(read_standing(database, traded), opened, 0))
    [day], _ = _days(traded, date(2024, 1, 3))
    assert (day.fills, day.orders, day.change) == (0, 0, Decimal(1_000))


def test_what_was_earned_is_shared_out_to_the_last_digit(traded: str) -> None:
    rows = _shared_out(traded)[traded]
    assert rows["given", "AAPL"]["total"] == Decimal(999)
    assert rows["given", "AAPL"]["fees"] == Decimal(-1)


def test_a_breach_is_named(traded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_RISK_LIMITS", '{"max_position": "0.5", "max_gross": "1.5"}')
    settings.cache_clear()
    state, report = _measured(30)[traded]
    assert state == "ACTIVE"
    said = [str(breach) for breach in report.breaches]
    assert said == ["exposure in AAPL 100.01% has reached its limit of 50.00%"]
    assert report.concentration == 1.0
    assert report.value_at_risk is None


def test_a_breach_alerts_once_and_ends(
    traded: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_rule(database, alert_rule({"name": "limits", "kind": "risk_limit"}), "command", "k")
    monkeypatch.setenv("TRADING_NOTIFY", "desk=json://127.0.0.1:9")
    limits_of(monkeypatch, max_position="0.5", max_gross="1.5")
    for _ in range(2):
        _told(None, 30)
    [told] = notifications(database)
    assert (told.channel, told.state) == ("desk", "waiting")
    assert told.title == f"[warning] limits firing: {traded}"
    assert told.body == f"{traded}: exposure in AAPL 100.01% has reached its limit of 50.00%."
    # Another limit as well is another matter.
    limits_of(monkeypatch, max_position="0.5", max_gross="0.9")
    _told(None, 30)
    assert (
        "gross exposure 100.01% has reached its limit of 90.00%; "
        in notifications(database)[0].body
    )
    limits_of(monkeypatch, max_position="1.5", max_gross="1.5")
    _told(None, 30)
    assert notifications(database)[0].title == f"[warning] limits resolved: {traded}"
    assert len(notifications(database)) == 3


def test_those_of_the_process_that_sends_are_told_where_the_flow_names_nobody(
    traded: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = date(2024, 1, 2)
    _tell(day, "as ever")
    assert notifications(database) == []
    say_whom(database, "older", "mail")
    say_whom(database, "newer", "desk night")
    put_rule(database, alert_rule({"name": "limits", "kind": "risk_limit"}), "command", "k")
    limits_of(monkeypatch, max_gross="0.9")
    _told(None, 30)
    for _ in range(2):
        _tell(day, "as ever")
    told = [(one.channel, one.title) for one in reversed(notifications(database))]
    breach, summary = f"[warning] limits firing: {traded}", "Summary of 2024-01-02"
    assert told == [("desk", breach), ("night", breach), ("desk", summary), ("night", summary)]
    # A flow that names somebody tells them.
    monkeypatch.setenv("TRADING_NOTIFY", "own=json://127.0.0.1:9")
    settings.cache_clear()
    _tell(date(2024, 1, 3), "as ever")
    assert notifications(database)[0].channel == "own"


def test_quiet_hours_are_those_of_the_process_that_sends(
    traded: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = timedelta(hours=1)
    until = datetime.now(UTC) + hour
    say_whom(database, "one", "desk", f"{until - 2 * hour:%H:%M}-{until:%H:%M} UTC")
    put_rule(database, alert_rule({"name": "limits", "kind": "risk_limit"}), "command", "k")
    limits_of(monkeypatch, max_gross="0.9")
    _told(None, 30)
    [told] = notifications(database)
    assert told.not_before == until.replace(second=0, microsecond=0)


def say_whom(database: Database, instance: str, channels: str, quiet: str | None = None) -> None:
    """Be a process that sends to these channels."""
    told = addressees_told(channels.split(), quiet)
    beat(database, "alerts", instance, started_at=moment(START), state="stopped", detail=told)


def limits_of(monkeypatch: pytest.MonkeyPatch, **limits: str) -> None:
    monkeypatch.setenv("TRADING_RISK_LIMITS", json.dumps(limits))
    settings.cache_clear()


def test_a_paper_account_agrees_with_itself_and_an_unknown_one_is_an_error(traded: str) -> None:
    assert _looked(None) == {traded: []}
    with pytest.raises(ParameterError, match=r"account='q' is not a known account \(p\)"):
        _looked("q")


def test_a_broker_that_has_other_books_is_found_out(traded: str, database: Database) -> None:
    theirs = TradingBooks(Clock(START), cash=Decimal(-1))
    theirs.positions["AAPL"], theirs.costs["AAPL"] = Decimal(100), Decimal(10_000)
    client = AlpacaClient(SecretStr(KEY_ID), SecretStr(SECRET), transport=InProcess(theirs))
    broker = AlpacaBroker(client)
    assert difference_to(database, traded, broker) == []
    theirs.positions["AAPL"] = Decimal(99)
    theirs.cash = Decimal(100)
    body = {"symbol": "KO", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    theirs.answer("POST", "/v2/orders", {}, body)
    kinds = [difference.kind for difference in difference_to(database, traded, broker)]
    assert kinds == [
        DifferenceKind.POSITION, DifferenceKind.CASH, DifferenceKind.ORDER_UNKNOWN_HERE,
    ]  # fmt: skip


def test_a_deposit_is_no_return() -> None:
    def point(day: int, equity: int, deposits: int) -> EquityPoint:
        zero = Decimal(0)
        return EquityPoint(
            at=moment(START + day * 86_400 * 10**9), equity=Decimal(equity), cash=zero,
            deposits=Decimal(deposits), realized=zero, unrealized=zero, fees=zero, gross=zero,
            drawdown=0.0,
        )  # fmt: skip

    points = [point(0, 90, 100), point(0, 100, 100), point(1, 210, 200), point(2, 189, 200)]
    assert np.allclose(daily_unit_returns(points), [0.05, -0.1])
