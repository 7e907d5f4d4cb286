"""What changes something: done once, audited, and refused where it cannot be meant."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from api.services import Services
from database.api.pool import DatabasePool
from database.connection import open_database
from tests.api.conftest import served
from tests.api.rows import ACCOUNT, fill
from tests.api.started_runs import Started

RULE = {"kind": "price_below", "name": "low", "symbols": ["AAPL"], "level": 100.0}
KILL = {"account": ACCOUNT, "confirm": ACCOUNT, "why": "The feed is wrong."}
BACKTEST = {"strategy": "vegas_channel", "symbols": ["AAPL"], "grid": {"lost_window": [10, 20]}}


@pytest.fixture
def runs() -> Started:
    return Started()


@pytest.fixture
def api(database_url: str, runs: Started) -> Iterator[httpx.Client]:
    fill(database_url)
    services = Services(
        database=DatabasePool(database_url), lake_dir="/nowhere", keys_needed=False, runs=runs
    )
    with served(services) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def post(client: httpx.Client, path: str, body: Any, key: str = "k-1") -> httpx.Response:
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def audited(url: str) -> list[tuple[str, str, str]]:
    with open_database(url) as database:
        return [
            (str(who), str(action), str(subject))
            for who, action, subject in database.rows.execute(
                "SELECT who, action, subject FROM audit WHERE who = 'local' ORDER BY id"
            )
        ]


def test_a_kill_is_durable_audited_and_done_once(api: httpx.Client, database_url: str) -> None:
    first = post(api, "/v1/risk/kill", KILL)
    assert (first.status_code, first.json()["data"]["state"]) == (202, "HALTING")
    again = post(api, "/v1/risk/kill", KILL)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json()["data"] == first.json()["data"]
    assert audited(database_url) == [("local", "halt", ACCOUNT)]
    assert api.get("/v1/risk").json()["data"][0]["state"] == "HALTING"
    other = post(api, "/v1/risk/kill", KILL | {"close_positions": True})
    assert (other.status_code, other.json()["error"]["code"]) == (409, "key_used")


def test_trading_is_resumed_only_after_the_halt_is_done(
    api: httpx.Client, database_url: str
) -> None:
    post(api, "/v1/risk/kill", KILL)
    early = post(api, "/v1/risk/resume", KILL, "k-2")
    assert early.status_code == 422
    assert "HALTED" in early.json()["error"]["message"]
    with open_database(database_url) as database:
        database.rows.execute("UPDATE risk_state SET is_closing = false")
    # What was refused was not done, and may be asked for again by the same name.
    done = post(api, "/v1/risk/resume", KILL, "k-2")
    assert (done.status_code, done.json()["data"]["state"]) == (200, "ACTIVE")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"confirm": "paper"}, "not_confirmed"),
        ({"account": "none", "confirm": "none"}, "invalid_parameter"),
        ({"why": ""}, "invalid_parameter"),
        ({"why": "a\u0000b"}, "invalid_parameter"),
        ({"more": 1}, "invalid_parameter"),
    ],
)
def test_a_kill_that_cannot_be_meant_changes_nothing(
    api: httpx.Client, database_url: str, change: dict[str, Any], code: str
) -> None:
    refused = post(api, "/v1/risk/kill", KILL | change)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)
    assert audited(database_url) == []
    assert api.get("/v1/risk").json()["data"][0]["state"] == "ACTIVE"


def test_a_change_needs_a_name_of_its_own(api: httpx.Client) -> None:
    response = api.post("/v1/risk/kill", json=KILL)
    assert response.status_code == 422
    assert "idempotency-key" in response.json()["error"]["message"].lower()


def test_alert_rules_are_added_changed_and_removed(api: httpx.Client, database_url: str) -> None:
    assert post(api, "/v1/alerts/rules", {"rule": RULE}).json()["data"]["outcome"] == "added"
    changed = post(api, "/v1/alerts/rules", {"rule": RULE | {"level": 90.0}}, "k-2")
    assert changed.json()["data"]["outcome"] == "changed"
    by_name = {row["name"]: row for row in api.get("/v1/alerts/rules").json()["data"]}
    assert by_name["low"]["definition"]["level"] == 90.0
    assert by_name["low"]["origin"] == "api"
    wrong = post(api, "/v1/alerts/rules", {"rule": RULE | {"level": -1}}, "k-3")
    assert wrong.status_code == 422
    gone = api.delete("/v1/alerts/rules/low", headers={"Idempotency-Key": "k-4"})
    assert gone.json()["data"]["outcome"] == "removed"
    twice = api.delete("/v1/alerts/rules/low", headers={"Idempotency-Key": "k-5"})
    assert twice.status_code == 422
    assert [action for _, action, _ in audited(database_url)] == [
        "put alert rule", "put alert rule", "remove alert rule",
    ]  # fmt: skip


def test_backtests_are_started_once_however_often_it_is_asked(
    api: httpx.Client, runs: Started, database_url: str
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(api, "/v1/backtests", BACKTEST), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    ((deployment, parameters),) = runs.asked
    assert deployment == "backtest/backtest"
    assert parameters["grid"] == BACKTEST["grid"]
    assert audited(database_url) == [("local", "start run", "backtest/backtest")]
    run_id = answers[0].json()["data"]["id"]
    assert api.get(f"/v1/runs/{run_id}").json()["data"]["name"] == "quick-fox"
    assert post(api, "/v1/backtests", BACKTEST, "k-2").status_code == 202
    assert len(runs.runs) == 2


def test_what_trades_cannot_be_started_here(api: httpx.Client, runs: Started) -> None:
    for name in ("reconcile-orders/reconcile-orders", "../gold", "gold/gold/../x"):
        assert post(api, "/v1/runs", {"deployment": name}).status_code == 422
    assert runs.asked == []


def test_an_unreachable_server_is_reported_and_the_request_may_be_retried(
    api: httpx.Client, runs: Started
) -> None:
    runs.gone = True
    gone = post(api, "/v1/backtests", BACKTEST)
    assert (gone.status_code, gone.json()["error"]["code"]) == (503, "prefect_unavailable")
    runs.gone = False
    assert post(api, "/v1/backtests", BACKTEST).status_code == 202
    missing = post(api, "/v1/runs", {"deployment": "medallion/medallion"}, "k-2")
    assert missing.json()["error"]["code"] == "deployment_missing"


@pytest.mark.parametrize(
    "odd", ['"a\\u0000"', '"\\ud801"', "1e999", "[" * 5_000 + "]" * 5_000, "NaN"]
)
def test_what_no_database_takes_is_refused(api: httpx.Client, odd: str) -> None:
    content = '{"deployment": "gold/gold", "parameters": {"x": ' + odd + "}}"
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json"}
    response = api.post("/v1/runs", content=content, headers=headers)
    assert 400 <= response.status_code < 500, response.text
    assert response.json()["error"]["message"]
