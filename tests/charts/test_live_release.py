"""The live side as the chart runs it: from made-up prices to orders on paper, over upgrades."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from uuid import uuid4

import psycopg
import pytest
import redis

from database.connection import Database, open_database
from servers.postgres.local import PostgresServer
from servers.s3 import s3_server as local_s3
from servers.valkey import local_valkey
from tests.adapters.notifications.receivers import Webhook, webhook
from tests.charts import given
from tests.charts.kubernetes_api.cluster import Cluster
from tests.charts.kubernetes_api.node import KILLED
from tests.charts.live_release import PROCESSES, LiveRelease
from tests.charts.rendering import FULLNAME, NAMESPACE, merged, render
from tests.database.conftest import postgres, url_of
from tests.waiting import wait_until

__all__ = ["postgres"]

pytestmark = pytest.mark.slow

VALUES = merged(given.LIVE_API, given.NOTIFIED)
RELEASE = render(VALUES)
IMPATIENT = render(VALUES, {"hooks": {"testSeconds": 3}})
SUMMARY = """
from datetime import date
from flows.trading.daily_summary import _tell
_tell(date(2024, 1, 2), "as ever")
"""
BARS, GROUP = "trading:bars", "executor-paper"

_ORDERS = """
SELECT client_order_id, symbol, bar::text, side * quantity, (
    SELECT state FROM order_event e WHERE (e.account_id, e.client_order_id)
        = (i.account_id, i.client_order_id) ORDER BY id DESC LIMIT 1
) FROM intent i WHERE account_id = 'paper'
"""
_FILLED = """
SELECT client_order_id, sum(quantity), count(*) FROM execution WHERE account_id = 'paper'
GROUP BY client_order_id
"""


@dataclass(frozen=True)
class StoredOrder:
    """An order: its quantity is below 0 when it sells."""

    name: str
    symbol: str
    bar: str
    quantity: Decimal
    state: str

    @property
    def is_open(self) -> bool:
        return self.state not in {"FILLED", "CANCELED", "EXPIRED", "REJECTED", "DENIED"}


@dataclass
class Live:
    """The release, and where its orders, its bus and what it told people can be looked at."""

    release: LiveRelease
    hook: Webhook
    database: Database
    bus: redis.Redis

    def orders(self) -> dict[str, StoredOrder]:
        with self.database.transaction() as connection:
            rows = connection.execute(_ORDERS).fetchall()
        return {row[0]: StoredOrder(*row) for row in rows}

    def open_orders(self) -> dict[str, StoredOrder]:
        return {name: order for name, order in self.orders().items() if order.is_open}

    def executor_waits(self) -> bool:
        """Whether the executor has done with all bars that there are."""
        [group] = [g for g in self.bus.xinfo_groups(BARS) if g["name"].decode() == GROUP]
        return not (group["lag"] or group["pending"])


@pytest.fixture(scope="module")
def live(postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """The release with the chart's defaults, installed as its README says."""
    folder = tmp_path_factory.mktemp("live")
    name = f"platform_{uuid4().hex[:8]}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    url = url_of(postgres, name)
    (folder / "node").mkdir()
    with (
        local_valkey(folder / "valkey") as bus,
        local_s3(folder / "s3") as store,
        webhook() as hook,
    ):
        secrets = {one["metadata"]["name"]: one["stringData"] for one in RELEASE.all("Secret")}
        secrets |= {
            "platform": {"url": url},
            "bus": {"url": bus.url},
            "channels": {"notify": f"desk=json://user:hunter2@127.0.0.1:{hook.port}"},
            f"{FULLNAME}-store": {
                "AWS_ACCESS_KEY_ID": store.identity.access_key,
                "AWS_SECRET_ACCESS_KEY": store.identity.secret_key,
            },
        }
        with Cluster(
            folder / "node",
            namespace=NAMESPACE,
            rules=[],
            image=RELEASE.container("executor")["image"],
            secrets=secrets,
            capacity=12,
            configs={one["metadata"]["name"]: one["data"] for one in RELEASE.all("ConfigMap")},
            services=[RELEASE.one("Service", "api")],
            addresses={
                f"{FULLNAME}-store:8333": f"127.0.0.1:{store.port}",
                # No Prefect server runs: what asks for one is told so at once.
                f"{FULLNAME}-server:4200": "127.0.0.1:1",
            },
        ) as cluster:
            release = LiveRelease(RELEASE, cluster)
            release.install()
            with open_database(url) as database, redis.Redis.from_url(bus.url, protocol=2) as told:
                yield Live(release, hook, database, told)
            assert cluster.surprises() == []
            # The image lets them write nowhere but below /tmp.
            assert not list(cluster.folder.glob("*/start/*"))


def test_helm_test_proves_a_bar_to_be_a_signal_and_an_order(live: Live) -> None:
    code, said = live.release.test()
    assert code == 0, f"{said}\n{live.release.logs()}"
    assert f"These run: {', '.join(PROCESSES)}." in said
    assert "From bar to order: " in said
    assert "The API at http://127.0.0.1:" in said


def test_helm_test_fails_with_a_sentence_where_no_executor_runs(live: Live) -> None:
    live.release.terminate("executor")
    live.release.wait_until_gone("executor")
    code, said = live.release.test(IMPATIENT)
    live.release.start("executor")
    assert code == 1
    assert said.startswith("After 3 seconds executor sends no heartbeat;")
    assert said.rstrip().endswith("look at the log of the first that is named.")
    assert "Traceback" not in said


def test_people_are_told_what_flow_runs_tell_which_know_no_channel(live: Live) -> None:
    tried = live.release.execute("alerts", "trading", "alerts", "test", "desk")
    assert (tried.returncode, tried.stdout) == (0, "desk  sent\n"), tried.stderr
    code, said = live.release.run_as_flow("python", "-c", SUMMARY)
    assert code == 0, said
    wait_until(lambda: "Summary of 2024-01-02" in titles(live.hook), "the summary arrives", 60)
    of_the_alerts = f"{FULLNAME}-alerts-"
    assert {name.startswith(of_the_alerts) for name in live.release.knows("hunter2")} == {True}


def titles(hook: Webhook) -> list[str]:
    return [body["title"] for body in hook.bodies]


def test_a_second_executor_waits_and_trades_when_the_first_is_gone(live: Live) -> None:
    second = live.release.another("executor")
    refusal = "Another executor trades in paper; stop it, or pass another --account."
    wait_until(lambda: refusal in live.release.cluster.log(second), "the second one is refused", 60)
    wait_until(lambda: live.release.cluster.running(second).restarts >= 1, "it is begun again", 60)
    assert "Trading 10 symbols" not in live.release.cluster.log(second)
    assert not live.release.is_ready(second)
    before = set(live.orders())
    wait_until(lambda: set(live.orders()) > before, "the first trades", 120)
    assert "Trading 10 symbols" not in live.release.cluster.log(second)
    live.release.terminate("executor")
    live.release.wait_until_gone("executor")
    live.release.pods["executor"] = second
    wait_until(lambda: live.release.is_ready(second), "the second one takes over", 120)


def test_an_upgrade_neither_loses_nor_doubles_an_open_order(live: Live) -> None:
    release = live.release
    there = with_open_orders(live)
    ending = {release.pods[one] for one in (*PROCESSES, "api")}
    release.terminate(*PROCESSES, "api")
    release.wait_until_gone("executor")
    release.signal("windows", signal.SIGCONT)
    release.wait_until_gone(*(one for one in (*PROCESSES, "api") if one != "executor"))
    assert KILLED not in {release.exit_code(pod) for pod in ending}
    assert live.open_orders() == there
    release.run_hook("prepare-database")
    assert live.open_orders() == there
    release.start(*PROCESSES, "api")
    wait_until(lambda: not there.keys() & live.open_orders().keys(), "they end", 120)
    orders = live.orders()
    with live.database.transaction() as connection:
        filled = {row[0]: row[1:] for row in connection.execute(_FILLED).fetchall()}
    for name, order in there.items():
        assert orders[name].state == "FILLED"
        assert filled[name][0] == order.quantity
        same = [o for o in orders.values() if (o.symbol, o.bar) == (order.symbol, order.bar)]
        assert same == [orders[name]]
    code, said = release.test()
    assert code == 0, f"{said}\n{release.logs()}"


def with_open_orders(live: Live) -> dict[str, StoredOrder]:
    """Stop time while orders wait for their next bar; the orders."""
    while True:
        wait_until(live.open_orders, lambda: f"an order is open: {live.release.logs()}", 120)
        live.release.signal("windows", signal.SIGSTOP)
        wait_until(live.executor_waits, "the executor has done with the last bar", 60)
        if found := live.open_orders():
            return found
        live.release.signal("windows", signal.SIGCONT)
