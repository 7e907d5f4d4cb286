from __future__ import annotations

import os

import httpx
import pytest

from servers.loopback import bypass_proxies
from tests.cli.conftest import PROXIES, Run


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name, value in PROXIES.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_PROXY", "no_proxy"):  # what the test sets there is taken back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_prefects_client_asks_a_server_on_this_machine_directly(
    prefect_server: str, host: str
) -> None:
    url = prefect_server.replace("127.0.0.1", host)
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")
    bypass_proxies(os.environ)
    assert httpx.get(f"{url}/health").status_code == httpx.codes.OK


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, "127.0.0.1,localhost,::1"),
        ({"NO_PROXY": "example.com, localhost"}, "example.com,localhost,127.0.0.1,::1"),
        ({"no_proxy": "a", "NO_PROXY": "b"}, "a,127.0.0.1,localhost,::1"),
    ],
)
def test_the_users_own_exceptions_stay(
    before: dict[str, str], after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    bypass_proxies(os.environ)
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == after


def test_who_wants_no_proxy_at_all_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    bypass_proxies(os.environ)
    assert os.environ["NO_PROXY"] == "*"
    assert "no_proxy" not in os.environ


def test_where_there_is_no_proxy_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name)
    bypass_proxies(os.environ)
    assert {"NO_PROXY", "no_proxy"}.isdisjoint(os.environ)


def test_a_command_asks_no_proxy_for_a_server_on_this_machine(
    run: Run, prefect_server: str
) -> None:
    checked = ("register", "--check", "--pool", "not-there", "--wait", "5")
    done = run(*checked, PREFECT_API_URL=prefect_server, **PROXIES)
    assert "did not answer" not in done.stderr
    assert "not-there" in done.stdout + done.stderr
