from __future__ import annotations

import os
from pathlib import Path

import pytest
from servers.errors import CommandError

from servers.connection import Connection, prefect_connection, without_credentials
from servers.prefect import LocalServer


def test_the_server_that_the_environment_names_is_used_and_none_is_started(
    prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"{prefect_server}/")
    monkeypatch.delenv("PREFECT_UI_URL", raising=False)
    with prefect_connection(tmp_path / "server", 0) as connection:
        assert connection == Connection(prefect_server, local=None)
        assert connection.ui_url == prefect_server.removesuffix("/api")
        # Inside a cluster the API's address leads nobody outside to the UI.
        monkeypatch.setenv("PREFECT_UI_URL", "https://prefect.example.com")
        assert connection.ui_url == "https://prefect.example.com"
        assert connection.partition_limit is None
        connection.wait_until_ready()
    assert not (tmp_path / "server").exists()


def test_a_named_server_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    with (
        pytest.raises(CommandError, match=r"PREFECT_API_URL=http://127\.0\.0\.1:1/api does not"),
        prefect_connection(tmp_path, 0),
    ):
        pytest.fail("it connected")


def test_without_a_named_server_ours_is_started_and_the_environment_points_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "")
    monkeypatch.setenv("PREFECT_HOME", "elsewhere")
    with prefect_connection(tmp_path, 0) as connection:
        assert isinstance(connection.local, LocalServer)
        assert os.environ["PREFECT_API_URL"] == connection.api_url == connection.local.api_url
        assert os.environ["PREFECT_HOME"] == str(tmp_path / "prefect")
        assert connection.partition_limit == os.cpu_count()
        assert connection.ui_url == f"http://127.0.0.1:{connection.local.port}"
        process = connection.local.process
    assert process.poll() is not None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:4200/api", "http://127.0.0.1:4200/api"),
        ("https://user:pass@prefect.example/api?key=1#f", "https://prefect.example/api"),
        ("http://a@b@c/api", "http://c/api"),
        ("http://[half", "(not a URL)"),
        ("no url", "no url"),
    ],
)
def test_credentials_do_not_get_into_messages(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
