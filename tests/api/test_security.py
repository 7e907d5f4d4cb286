"""Who may ask what: each route with each role, keys, cookies, limits, and what is never said."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from api.app import create_app
from api.limits import ProcessWindow
from api.security import COOKIE, SESSION_SECONDS, session_cookie
from api.services import Services
from database.api.keys import create_key, key_by_id, list_keys, revoke_key
from database.api.pool import DatabasePool
from database.connection import open_database
from tests.api.conftest import keys_for, served

ROLE_OF_CHANGE = {
    ("post", "/v1/runs"): "trader",
    ("post", "/v1/backtests"): "trader",
    ("post", "/v1/risk/kill"): "trader",
    ("post", "/v1/risk/resume"): "admin",
    ("post", "/v1/alerts/rules"): "trader",
    ("delete", "/v1/alerts/rules/{name}"): "trader",
    ("get", "/v1/audit"): "admin",
}
"""What needs more than a reader; whoever adds a route that changes something adds it here."""

RANK = ("nobody", "reader", "trader", "admin")
HIDDEN = (("get", "/v1/openapi.json"), ("get", "/metrics"))


@pytest.fixture(scope="module")
def guarded(seeded_url: str, tmp_path_factory: pytest.TempPathFactory) -> Services:
    return Services(
        database=DatabasePool(seeded_url),
        lake_dir=str(tmp_path_factory.mktemp("lake")),
        keys_needed=True,
        requests_per_minute=100_000,
    )


@pytest.fixture(scope="module")
def url(guarded: Services) -> Iterator[str]:
    with served(guarded) as address:
        yield address


@pytest.fixture(scope="module")
def asking(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def keys(seeded_url: str) -> dict[str, str]:
    return keys_for(seeded_url)


def routes() -> list[tuple[str, str]]:
    """Method and path of every route, from the description itself."""
    services = Services(
        database=DatabasePool("postgresql://nobody@localhost/none"), lake_dir=".", keys_needed=True
    )
    paths = create_app(services).openapi()["paths"]
    return [*HIDDEN, *((m, path) for path, methods in paths.items() for m in methods)]


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("role", RANK)
@pytest.mark.parametrize(("method", "path"), routes())
def test_a_route_lets_in_its_role_and_those_above(
    asking: httpx.Client, keys: dict[str, str], method: str, path: str, role: str
) -> None:
    names = {
        "symbol": "AAPL",
        "order": "order-001",
        "name": "none",
        "run_id": "0" * 32,
        "result": "x",
    }
    response = asking.request(
        method, path.format(**names), headers=bearer(keys[role]) if role != "nobody" else {}
    )
    if path.startswith("/v1/health"):
        assert response.status_code == 200
        return
    needed = ROLE_OF_CHANGE.get((method, path), "reader")
    if role == "nobody":
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
    elif RANK.index(role) < RANK.index(needed):
        assert response.status_code == 403
        assert response.json()["error"]["code"] == "role_too_low"
    else:
        assert response.status_code not in {401, 403}, response.text


def test_every_change_needs_more_than_a_reader() -> None:
    changing = {route for route in routes() if route[0] not in {"get", "head"}}
    assert changing <= ROLE_OF_CHANGE.keys()


@pytest.mark.parametrize(
    "wrong",
    ["", "tk", "tk__", "tk_1_2", "tk_{id}_", "tk_{id}_x", "tk_{id}_{secret}x", "tk_{ID}_{secret}",
     "xx_{id}_{secret}", "tk_' OR 1=1_x", "tk_\u00b2_x", "{secret}", "tk_{id}_" + "x" * 5_000],
)  # fmt: skip
def test_what_is_no_key_is_refused(asking: httpx.Client, keys: dict[str, str], wrong: str) -> None:
    _, key_id, secret = keys["admin"].split("_", 2)
    token = wrong.format(id=key_id, ID=key_id[::-1], secret=secret)
    headers = {b"Authorization": b"Bearer" + b" " * bool(token) + token.encode()}
    assert asking.get("/v1/risk", headers=headers).status_code == 401


def test_a_revoked_key_ends_at_once(asking: httpx.Client, seeded_url: str) -> None:
    with open_database(seeded_url) as database:
        key = create_key(database, "short-lived", "reader", "test")
        assert asking.get("/v1/risk", headers=bearer(key)).status_code == 200
        assert any(one.last_used_at for one in list_keys(database) if one.name == "short-lived")
        revoke_key(database, "short-lived", "test")
    assert asking.get("/v1/risk", headers=bearer(key)).status_code == 401


def test_a_keys_secret_is_stored_nowhere(keys: dict[str, str], seeded_url: str) -> None:
    secret = keys["admin"].split("_", 2)[2]
    with open_database(seeded_url) as database:
        stored = database.rows.execute("SELECT api_key::text FROM api_key").fetchall()
        stored += database.rows.execute("SELECT audit::text FROM audit").fetchall()
    assert secret not in repr(stored)
    assert secret.encode().hex() not in repr(stored)


def test_the_desks_cookie_counts_like_its_key(
    asking: httpx.Client, keys: dict[str, str], seeded_url: str
) -> None:
    with open_database(seeded_url) as database:
        key = key_by_id(database, keys["reader"].split("_")[1])
        assert key is not None
        cookie = session_cookie(key)
        other = session_cookie(replace(key, secret_hash=b"x" * 32))

    def status(value: str) -> int:
        return asking.get("/v1/risk", headers={"Cookie": f"{COOKIE}={value}"}).status_code

    assert status(cookie) == 200
    key_id, expires, signature = cookie.split(".")
    assert status(f"{key_id}.{int(expires) + 1}.{signature}") == 401
    assert status(other) == 401
    old = time.time() - SESSION_SECONDS
    assert status(session_cookie(key, old + 60)) == 200
    assert status(session_cookie(key, old - 60)) == 401


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1"])
def test_another_sites_page_changes_nothing(url: str, keys: dict[str, str], origin: str) -> None:
    headers = bearer(keys["admin"]) | {"Origin": origin}
    response = httpx.post(f"{url}/v1/risk/kill", headers=headers, json={})
    assert response.json()["error"]["code"] == "foreign_origin"
    own = headers | {"Origin": url}
    assert httpx.post(f"{url}/v1/risk/kill", headers=own, json={}).status_code == 422
    with pytest.raises(InvalidStatus) as refused:
        connect(url.replace("http", "ws") + "/v1/stream", additional_headers=headers)
    assert refused.value.response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_a_stream_without_a_key_is_refused_before_it_opens(url: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(url.replace("http", "ws") + "/v1/stream")
    assert refused.value.response.status_code == 403


def test_without_keys_only_this_machine_is_answered(client: httpx.Client) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example", "0x7f.1", "[::2]", "["):
        response = client.get("/v1/risk", headers={"Host": host})
        assert response.json()["error"]["code"] == "unknown_host"
    port = urlsplit(str(client.base_url)).port
    assert client.get("/v1/risk", headers={"Host": f"localhost:{port}"}).status_code == 200


def test_a_key_that_asks_too_often_waits_and_others_do_not(
    guarded: Services, keys: dict[str, str]
) -> None:
    limited_api = replace(guarded, requests_per_minute=3, window=ProcessWindow())
    with served(limited_api) as url:
        answers, seconds = [], [int(time.time())]
        for _ in range(8):
            answers.append(httpx.get(f"{url}/v1/risk", headers=bearer(keys["reader"])))
            seconds.append(int(time.time()))
        assert [answer.status_code for answer in answers[:3]] == [200] * 3
        limited = [answer for answer in answers if answer.status_code == 429]
        # The clock's minute may have turned in between.
        assert len(limited) >= 2
        place = answers.index(limited[0])
        # Up to the next whole minute, from the second in which it was answered.
        due = {60 - second % 60 for second in range(seconds[place], seconds[place + 1] + 1)}
        assert int(limited[0].headers["Retry-After"]) in due
        assert limited[0].json()["error"]["code"] == "too_many_requests"
        assert httpx.get(f"{url}/v1/risk", headers=bearer(keys["trader"])).status_code == 200
        assert httpx.get(f"{url}/v1/health").status_code == 200


def test_nothing_secret_is_said_or_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    services = Services(
        database=DatabasePool("postgresql://canary-user:canary-password@127.0.0.1:1/canary-name"),
        lake_dir=str(tmp_path / "canary-folder"),
        keys_needed=True,
    )
    said: list[Any] = []
    with served(services) as url:
        for path in ("/v1/health", "/v1/risk", "/v1/bars/AAPL", "/v1/canary-path"):
            response = httpx.get(url + path, headers=bearer("tk_abc_canary-secret"))
            said += [response.text, response.headers]
    assert "canary" not in re.sub("canary-path", "", repr(said) + caplog.text)
    assert "database" in caplog.text
