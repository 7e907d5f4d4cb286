"""Processes of the live side by themselves, as the supervisor starts them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from cli.commands.live.all_in_one.processes import LiveProcess
from cli.commands.live.all_in_one.supervisor import Supervised, supervised
from cli.commands.live.services.serving import member_name
from cli.commands.live.services.tick_sources import claim_kind
from database.alerts.addressees import addressees_known
from database.alerts.rules import put_rule
from database.connection import Database
from database.live.consumers import hold_alone
from database.live.heartbeats import heartbeats
from database.live.subscriptions import subscribe
from database.orders.accounts import accounts
from live.bus.port import BEGINNING, Bus, Tail
from servers.errors import USAGE, CommandError
from servers.start_up import bound_port
from tests.trading.alerts.given import bar
from tests.waiting import wait_until
from trading.alerts.delivery import quiet_hours
from trading.alerts.rules import alert_rule
from trading.events import AlertChanged, ArticleSeen, Event, Stream

Begin = Callable[..., Supervised]


@pytest.fixture
def begin(tmp_path: Path, database_url: str, bus_url: str) -> Iterator[Begin]:
    """Start one with the database and the bus of the test; it is ended afterwards."""
    started: list[Supervised] = []
    environment = dict(os.environ) | {
        "TRADING_DATABASE_URL": database_url, "TRADING_BUS_URL": bus_url,
        "TRADING_LOG_DIR": str(tmp_path),
    }  # fmt: skip

    def begin_one(name: str, *arguments: str, **own: str) -> Supervised:
        one = Supervised(LiveProcess(name, ["live", name, *arguments], own), tmp_path, environment)
        started.append(one)
        return one

    yield begin_one
    for one in started:
        one.stop()


def state_of(database: Database, service: str) -> str:
    return next((beat.state for beat in heartbeats(database) if beat.service == service), "")


def grown(found: list[Event], tail: Tail) -> bool:
    """Whether there are events, the new ones among them."""
    found += tail.fetch().events
    return bool(found)


def answers_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready").status_code == 200
    except httpx.TransportError:
        return False


def test_alerts_watches_the_bus_and_tells_how_it_does(
    begin: Begin, database: Database, bus: Bus, tmp_path: Path
) -> None:
    rule = alert_rule({"name": "high", "kind": "price_above", "level": 100})
    put_rule(database, rule, "api", "k")
    port = bound_port(0)
    one = begin(
        "alerts", "--clock", "events", TRADING_METRICS_PORT=str(port),
        TRADING_NOTIFY="desk=json://127.0.0.1:9/of-nobody mail=json://127.0.0.1:9",
        TRADING_NOTIFY_QUIET="22:00-07:00 UTC",
    )  # fmt: skip
    wait_until(lambda: answers_ready(port), lambda: f"it is ready: {one.log.read_text()}", 120)
    said = bus.tail(Stream.ALERTS, BEGINNING)
    bus.publish_many(Stream.BARS, [("AAPL", bar(0, 99.0)), ("AAPL", bar(1, 101.0))])
    found: list[Event] = []
    wait_until(lambda: grown(found, said), "the alert is told", 60)
    assert [(a.rule, a.kind) for a in found if isinstance(a, AlertChanged)] == [("high", "firing")]
    numbers = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    assert 'trading_events_received_total{service="alerts",stream="bars"} 2.0' in numbers
    wait_until(lambda: state_of(database, "alerts") == "running", "it says that it runs", 60)
    # Whoever else has something to tell finds out whom.
    with database.transaction() as connection:
        known = addressees_known(connection)
    assert (known.channels, known.quiet) == (("desk", "mail"), quiet_hours("22:00-07:00 UTC"))
    assert "of-nobody" not in repr(heartbeats(database))
    one.stop()
    assert state_of(database, "alerts") == "stopped"
    assert (tmp_path / "alerts.log").exists()


def test_a_process_that_is_begun_again_is_the_same_member(monkeypatch: pytest.MonkeyPatch) -> None:
    before = member_name("signals")
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert member_name("signals") == before != member_name("alerts")


def test_an_executor_trades_in_the_account_of_its_prices(begin: Begin, database: Database) -> None:
    claim_kind(database, "synthetic")
    one = begin("executor", "--symbols", "AAPL")
    wait_until(lambda: accounts(database), lambda: f"it trades: {one.log.read_text()}", 120)
    assert [account.id for account in accounts(database)] == ["paper-synthetic"]


def test_news_publishes_what_is_said_of_the_streams_symbols(
    begin: Begin, database: Database, bus: Bus
) -> None:
    subscribe(database, ["AAPL"])
    one = begin("news", "--every", "1", TRADING_NEWS_SOURCE="synthetic")
    said = bus.tail(Stream.NEWS, BEGINNING)
    found: list[Event] = []
    wait_until(lambda: grown(found, said), lambda: f"news come: {one.log.read_text()}", 120)
    assert {s for a in found if isinstance(a, ArticleSeen) for s in a.symbols} == {"AAPL"}
    wait_until(lambda: state_of(database, "news") == "running", "it says that it lives", 60)


def test_a_second_process_says_that_it_waits_for_the_first(
    begin: Begin, database: Database, tmp_path: Path
) -> None:
    assert hold_alone(database, "windows")
    begin("windows")
    log = tmp_path / "windows.log"
    wait_until(lambda: log.exists() and "waited for" in log.read_text(), "it says so", 60)
    wait_until(lambda: state_of(database, "windows") == "starting", "it gives signs of life", 60)
    assert log.read_text().count("waited for") == 1


def test_a_port_of_metrics_that_is_taken_is_one_sentence(
    tmp_path: Path, database_url: str, bus_url: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = dict(os.environ) | {
            "TRADING_DATABASE_URL": database_url, "TRADING_BUS_URL": bus_url,
        }  # fmt: skip
        process = LiveProcess("news", ["live", "news", "--metrics-port", port])
        with (
            supervised([process], tmp_path, environment) as supervisor,
            pytest.raises(CommandError, match=f"--metrics-port {port} cannot be listened on") as no,
        ):
            wait_until(supervisor.look, "it refuses", 60)
    assert no.value.exit_code == USAGE


def test_a_bus_that_is_away_is_said_while_the_process_waits_for_it(begin: Begin) -> None:
    one = begin("stream", TRADING_BUS_URL="kafka://127.0.0.1:1")
    said = "The bus at 127.0.0.1:1 is away; connecting again"
    wait_until(lambda: said in one.log.read_text(), "it is said", 60)
    one.look()
    assert one.pid is not None
    assert one.restarts == 0


CRASHING = """
from pathlib import Path
from cli.commands.live.services.service import ServiceOptions, running

with running("windows", ServiceOptions(server_dir=Path("none"))) as service:
    raise RuntimeError("the disk is full")
"""


def test_a_service_that_crashes_does_not_say_that_somebody_stopped_it(
    database: Database, database_url: str, bus_url: str
) -> None:
    """Shown to fail with `stopped`, on which nobody is told."""
    environment = dict(os.environ) | {
        "TRADING_DATABASE_URL": database_url, "TRADING_BUS_URL": bus_url,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", CRASHING], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "the disk is full" in done.stderr
    assert state_of(database, "windows") == "degraded"
