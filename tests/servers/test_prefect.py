from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx
import pytest
from prefect.client.orchestration import PrefectClient

from servers.errors import USAGE, CommandError
from servers.prefect import (
    LocalServer,
    available_port,
    default_folder,
    is_healthy,
    local_server,
    project_root,
    running_api_url,
    start_server,
)
from servers.process import start_child, stopping
from servers.server_lock import server_lock


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def answers() -> Iterator[tuple[str, list[int]]]:
    """An HTTP server, with the statuses that it will answer one after the other."""
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(statuses.pop(0))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api", statuses
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_sessions_server_is_one_of_ours_and_answers(
    prefect_server: str, prefect_client: PrefectClient
) -> None:
    assert await prefect_client.api_healthcheck() is None
    assert str(prefect_client.api_url).rstrip("/") == prefect_server
    assert is_healthy(prefect_server, timeout=30)


async def test_the_block_types_of_all_packages_are_there(prefect_client: PrefectClient) -> None:
    types = {found.slug for found in await prefect_client.read_block_types()}
    assert {"secret", "s3-bucket", "aws-credentials", "minio-credentials"} <= types


PROFILE = 'active = "own"\n[profiles.own]\nPREFECT_API_DATABASE_CONNECTION_URL = "{url}"\n'


@pytest.mark.slow
@pytest.mark.parametrize(
    "files",
    [
        {"prefect.toml": '[server.database]\nconnection_url = "{url}"\n'},
        {"server/prefect/profiles.toml": PROFILE},
        {".env": 'PREFECT_SERVER_DATABASE_CONNECTION_URL="{url}"\n'},
    ],
    ids=["prefect.toml", "a profile", ".env"],
)
def test_no_file_of_settings_puts_another_database_in_place_of_the_folders(
    files: dict[str, str],
    migrated: Callable[[Path], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = migrated(tmp_path / "server")
    for name, text in files.items():
        (tmp_path / name).write_text(text.format(url=f"sqlite+aiosqlite:///{tmp_path}/own.db"))
    monkeypatch.chdir(tmp_path)
    assert flows_of_a_server(folder, folder / "prefect" / "prefect.db") == ["asked"]
    assert not (tmp_path / "own.db").exists()


@pytest.mark.slow
def test_a_database_that_the_environment_names_is_the_one_used(
    migrated: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = migrated(tmp_path / "server")
    untouched = (folder / "prefect" / "prefect.db").read_bytes()
    own = shutil.copy(folder / "prefect" / "prefect.db", tmp_path / "own.db")
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", f"sqlite+aiosqlite:///{own}")
    assert flows_of_a_server(folder, own) == ["asked"]
    assert (folder / "prefect" / "prefect.db").read_bytes() == untouched


def flows_of_a_server(folder: Path, database: Path | str) -> list[str]:
    """Ask a server of the folder to note a flow; the flows `asked` that a database has then."""
    with local_server(folder, 0) as server:
        server.wait_until_healthy()
        flow = httpx.post(f"{server.api_url}/flows/", json={"name": "asked"})
    assert flow.status_code == httpx.codes.CREATED
    with contextlib.closing(sqlite3.connect(database)) as opened:
        found = opened.execute("SELECT name FROM flow WHERE name = 'asked'").fetchall()
    return [name for (name,) in found]


async def test_our_server_has_the_settings_that_a_laptop_wants(
    prefect_client: PrefectClient,
) -> None:
    answer = await prefect_client.request("GET", "/admin/settings")
    server = answer.json()["server"]
    assert server["analytics_enabled"] is False
    assert server["services"]["late_runs"]["enabled"] is False
    assert server["services"]["cancellation_cleanup"]["loop_seconds"] == 300
    assert server["services"]["task_run_recorder"]["enabled"] is True
    assert server["ui"]["show_promotional_content"] is False
    assert server["api"]["host"] == "127.0.0.1"


def test_a_free_port_is_taken_as_it_is_and_0_finds_one() -> None:
    found = available_port(0)
    assert 1024 <= found <= 65_535
    assert available_port(found) == found


def test_a_taken_port_is_refused_before_anything_is_started(
    taken_port: int, tmp_path: Path
) -> None:
    with pytest.raises(CommandError) as caught, local_server(tmp_path, taken_port):
        pytest.fail("it started")
    assert f"port={taken_port} " in str(caught.value)
    assert "--port" in str(caught.value)
    assert caught.value.exit_code == USAGE
    assert not (tmp_path / "logs").exists()
    assert not (tmp_path / "prefect").exists()


def test_a_second_server_for_a_folder_is_refused_and_the_first_is_named(tmp_path: Path) -> None:
    holder = {"pid": 4711, "api_url": "http://127.0.0.1:4200/api"}
    with server_lock(tmp_path / "server.lock") as lock:
        os.write(lock, json.dumps(holder).encode())
        with pytest.raises(CommandError) as caught, local_server(tmp_path, 0):
            pytest.fail("it started")
    assert "4711" in str(caught.value)
    assert "PREFECT_API_URL=http://127.0.0.1:4200/api" in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_lock_that_does_not_say_who_holds_it_is_still_a_lock(tmp_path: Path) -> None:
    with (
        server_lock(tmp_path / "server.lock"),
        pytest.raises(CommandError, match="runs already"),
        local_server(tmp_path, 0),
    ):
        pytest.fail("it started")


def test_the_lock_is_held_while_the_server_lives_and_says_who_holds_it(tmp_path: Path) -> None:
    with local_server(tmp_path, 0) as server:
        holder = json.loads((tmp_path / "server.lock").read_text())
        assert holder == {"pid": os.getpid(), "api_url": server.api_url}
        with pytest.raises(CommandError, match=str(os.getpid())), local_server(tmp_path, 0):
            pytest.fail("a second one started")
        assert server.process.poll() is None
    assert server.process.poll() is not None
    with (tmp_path / "server.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CommandError, match="cannot be written"),
        local_server(tmp_path / "file" / "server", 0),
    ):
        pytest.fail("it started")


def test_a_server_that_ends_while_starting_shows_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "server.log"
    with stopping(start_child("no_such_module", [], log=log, env=os.environ)) as child:
        server = LocalServer(tmp_path, available_port(0), child)
        with pytest.raises(CommandError) as caught:
            server.wait_until_healthy()
    assert "ended while starting" in str(caught.value)
    assert "No module named no_such_module" in str(caught.value)
    assert str(log) in str(caught.value)


def test_a_server_that_answers_in_place_of_ours_is_not_taken_for_it(
    prefect_server: str, migrated: Callable[[Path], Path], tmp_path: Path
) -> None:
    """It took the port after ours had found it free; ours has still to find out."""
    taken = urlsplit(prefect_server).port
    assert taken is not None
    lifeline, held = os.pipe()
    server = start_server(migrated(tmp_path / "server"), taken, stdin=lifeline, keep_open=[])
    os.close(lifeline)
    with stopping(server.process), pytest.raises(CommandError) as caught:
        server.wait_until_healthy()
    os.close(held)
    assert str(caught.value).startswith(f"port={taken} is not free on 127.0.0.1")
    assert caught.value.exit_code == USAGE


def test_a_server_that_ended_because_its_port_was_taken_says_so(
    taken_port: int, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "server.log"
    with stopping(start_child("no_such_module", [], log=log, env=os.environ)) as child:
        child.wait()
        with pytest.raises(CommandError, match=f"port={taken_port} is not free"):
            LocalServer(tmp_path, taken_port, child).wait_until_healthy()


def test_only_an_api_that_answers_200_is_healthy(answers: tuple[str, list[int]]) -> None:
    url, statuses = answers
    statuses += [200, 404, 503]
    assert is_healthy(url, timeout=30)
    assert not is_healthy(url, timeout=30)
    assert not is_healthy(url, timeout=30)
    assert not statuses


def test_a_server_counts_for_as_long_as_its_command_lives(
    answers: tuple[str, list[int]], tmp_path: Path
) -> None:
    url, statuses = answers
    assert running_api_url(tmp_path) is None
    with stopping(start_child("http.server", ["0"], log=tmp_path / "log", env=os.environ)) as one:
        holder = {"pid": one.pid, "api_url": url}
        (tmp_path / "server.lock").write_text(json.dumps(holder))
        statuses.append(200)
        assert running_api_url(tmp_path) == url
        one.kill()
        os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
        statuses.append(200)
        assert running_api_url(tmp_path) is None
    assert running_api_url(tmp_path) is None


def test_what_answers_no_http_is_not_healthy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")
                connection.recv(4096)

        thread = Thread(target=greet)
        thread.start()
        assert not is_healthy(f"http://127.0.0.1:{listener.getsockname()[1]}/api", timeout=30)
        thread.join()


@pytest.mark.parametrize(
    "url", ["file:///etc", "", "127.0.0.1:4200", "http://[", "http://127.0.0.1:1"]
)
def test_what_is_no_http_server_is_not_healthy(url: str) -> None:
    assert not is_healthy(url, timeout=5)


def test_the_loopback_interface_is_reached_without_the_environments_proxy(
    answers: tuple[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    url, statuses = answers
    statuses.append(200)
    assert is_healthy(url, timeout=30)


def test_the_servers_data_are_in_a_folder_that_git_ignores() -> None:
    assert default_folder().parent == project_root() == Path(__file__).parents[2]
    ignored = (project_root() / ".gitignore").read_text().splitlines()
    assert f"{default_folder().name}/" in ignored
