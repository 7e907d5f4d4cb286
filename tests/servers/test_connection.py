from __future__ import annotations

import os
import subprocess
from datetime import date
from pathlib import Path

import pytest

from cli.pipeline.sample_data import write_sample
from servers.connection import (
    Connection,
    named_api_url,
    prefect_connection,
    say_whose_server,
    without_credentials,
)
from servers.errors import USAGE, CommandError
from servers.prefect import LocalServer
from tests.cli.conftest import Run


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
        assert connection.users_home == "elsewhere"
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


MALFORMED = [
    "127.0.0.1:4200/api",
    "nonsense",
    "ftp://prefect.example/api",
    "http://",
    "http://[half/api",
    "http://127.0.0.1:port/api",
    "http://127.0.0.1:65536/api",
    "http://two words/api",
    "http://.example/api",
    "http://prefect.example/api\n",
]


@pytest.mark.parametrize("url", MALFORMED)
def test_what_is_no_url_of_an_api_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", url)
    with pytest.raises(CommandError) as caught:
        named_api_url()
    assert str(caught.value).startswith(f"PREFECT_API_URL={url!a} is not the URL")
    assert caught.value.exit_code == USAGE


def test_a_password_in_what_is_no_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://me:se/cret@127.0.0.1:port/api")
    with pytest.raises(CommandError, match=r"^PREFECT_API_URL is not the URL") as caught:
        named_api_url()
    assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["https://me:secret@prefect.example:443/api", "http://[::1]:4200/api", "HTTP://Bücher.example"],
)
def test_what_is_a_url_is_taken_as_it_is(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"{url}/")
    assert named_api_url() == url


CLOUD = "https://api.prefect.cloud/api/accounts/1/workspaces/2"
PROFILE = f"""
active = "cloud"

[profiles.cloud]
PREFECT_API_URL = "{CLOUD}"
PREFECT_API_KEY = "pnu_secret"
"""


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """Our own server, to which the environment points, of a user who has a profile folder."""
    monkeypatch.chdir(tmp_path)
    server = LocalServer(tmp_path / "server", 4200, subprocess.Popen(["true"]))
    server.process.wait()
    for name, value in server.client_settings().items():
        monkeypatch.setenv(name, value)
    (tmp_path / "home").mkdir()
    return Connection(server.api_url, server, str(tmp_path / "home"))


def test_a_server_that_a_profile_names_and_that_is_not_used_is_told(
    ours: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "home" / "profiles.toml").write_text(PROFILE)
    before = dict(os.environ)
    say_whose_server(ours)
    told = capsys.readouterr().err
    assert "a Prefect server of its own, http://127.0.0.1:4200, and not on " + CLOUD in told
    assert "set PREFECT_API_URL" in told
    assert "secret" not in told
    assert dict(os.environ) == before


@pytest.mark.parametrize("env", ["", "PREFECT_API_URL=http://127.0.0.1:4200/api/\n"])
def test_where_no_other_server_is_named_nothing_is_told(
    ours: Connection, env: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".env").write_text(env)
    say_whose_server(ours)
    say_whose_server(Connection("https://prefect.example/api", local=None))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", [("demo", "--contracts", "NONE-SUCH"), ("redo", "--dry-run")])
def test_a_command_says_that_it_passes_a_profiles_server_over(
    run: Run, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "profiles.toml").write_text(PROFILE)
    if command[0] == "redo":  # which is refused before there is a server when there are no data
        write_sample(str(tmp_path / "input"), 2, date(2024, 1, 2), date(2024, 1, 2), seed=1)
    done = run(*command, "--port", "0", PREFECT_HOME=str(tmp_path))
    assert f"and not on {CLOUD}" in done.stderr
    assert "secret" not in done.stderr
