"""The alerts process on the real bus, with a real database and a real webhook."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from adapters.notifications.apprise_channel import channels
from database.alerts.rules import put_rule
from database.alerts.telling import Addressees
from database.connection import Database
from live.alerts.ports import BusEnds
from live.alerts.process import run_alerts
from live.alerts.watch import WatchOptions
from live.bus.opening import open_bus
from live.bus.port import BEGINNING
from servers.valkey import local_valkey
from tests.adapters.notifications.receivers import webhook
from tests.trading.alerts.given import bar, signal
from tests.waiting import wait_until
from trading.alerts.rules import alert_rule
from trading.events import AlertChanged, Stream


def test_bars_on_the_bus_become_alerts_on_it_and_notifications(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    put_rule(
        database, alert_rule({"name": "high", "kind": "price_above", "level": 100}), "api", "k"
    )
    vegas = {"name": "vegas", "kind": "signal", "strategy": "vegas_channel"}
    put_rule(database, alert_rule(vegas), "api", "k")
    noon = datetime(2024, 1, 2, 17, tzinfo=UTC)
    stop = threading.Event()
    with (
        webhook() as hook,
        local_valkey(tmp_path / "valkey") as server,
        open_bus(server.url) as ours,
        open_bus(server.url) as theirs,
    ):
        ours.publish_many(Stream.BARS, [("AAPL", bar(0, 99.0)), ("AAPL", bar(1, 101.0))])
        ours.publish(Stream.SIGNALS, "AAPL", signal(0, "buy"))
        consumers = [theirs.consume(s, "alerts", "one") for s in (Stream.BARS, Stream.SIGNALS)]
        process = threading.Thread(
            target=run_alerts,
            args=(
                database_url,
                BusEnds(consumers, theirs),
                channels({"desk": SecretStr(hook.url)}),
                WatchOptions(
                    addressees=Addressees(("desk",)), wait_seconds=0.01, clock=lambda: noon
                ),
                stop,
            ),
        )
        process.start()
        try:
            wait_until(lambda: len(hook.bodies) == 2, "two notifications")
        finally:
            stop.set()
            process.join()
        told = ours.tail(Stream.ALERTS, BEGINNING).fetch().events
    assert sorted(e.rule for e in told if isinstance(e, AlertChanged)) == ["high", "vegas"]
    assert sorted(body["title"] for body in hook.bodies) == [
        "[warning] high firing: AAPL", "[warning] vegas firing: AAPL/a1",
    ]  # fmt: skip
