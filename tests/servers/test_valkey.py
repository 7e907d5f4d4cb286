from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import psutil
import redis

from servers.shared.keeper import SETTLED_SECONDS
from servers.shared.server import running_socket_folder
from servers.valkey import local_valkey
from tests.waiting import wait_until


def client(url: str) -> redis.Redis:
    return redis.Redis.from_url(url)


def test_it_answers_on_a_socket_alone_and_is_gone_with_its_only_user(tmp_path: Path) -> None:
    with local_valkey(tmp_path / "valkey") as server:
        assert client(server.url).ping()
        process = psutil.Process(int((server.folder / "valkey.pid").read_text()))
        assert not process.net_connections("inet")
        assert stat.S_IMODE(server.socket_folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    assert not process.is_running()
    assert not server.socket_folder.exists()


def test_what_it_was_told_survives_its_end_and_its_killing(tmp_path: Path) -> None:
    with local_valkey(tmp_path / "valkey") as server:
        client(server.url).set("told", "before the end")
    with local_valkey(tmp_path / "valkey") as server:
        assert client(server.url).get("told") == b"before the end"
        client(server.url).set("told", "before the kill")
        pid = int((server.folder / "valkey.pid").read_text())
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not psutil.pid_exists(pid), "the killed server is gone")
    with local_valkey(tmp_path / "valkey") as server:
        assert client(server.url).get("told") == b"before the kill"


def test_a_server_that_is_killed_is_started_again_for_those_who_use_it(tmp_path: Path) -> None:
    with local_valkey(tmp_path / "valkey") as server:
        client(server.url).set("told", "before the kill")
        killed = psutil.Process(int((server.folder / "valkey.pid").read_text()))
        wait_until(lambda: time.time() - killed.create_time() > 2 * SETTLED_SECONDS, "it is of use")
        killed.kill()
        wait_until(lambda: answer(server.url) == b"before the kill", "another one answers", 60)
        again = psutil.Process(int((server.folder / "valkey.pid").read_text()))
        assert again.pid != killed.pid
    assert not again.is_running()


def test_one_that_ends_by_itself_is_not(tmp_path: Path) -> None:
    with local_valkey(tmp_path / "valkey") as server:
        ended = psutil.Process(int((server.folder / "valkey.pid").read_text()))
        wait_until(lambda: time.time() - ended.create_time() > 2 * SETTLED_SECONDS, "it is of use")
        client(server.url).shutdown()
        wait_until(lambda: running_socket_folder(server.folder) is None, "nobody keeps it", 60)


def answer(url: str) -> object:
    try:
        return client(url).get("told")
    except redis.ConnectionError:
        return None


def test_two_users_share_one_server(tmp_path: Path) -> None:
    with local_valkey(tmp_path / "valkey") as first:
        with local_valkey(tmp_path / "valkey") as second:
            assert second.url == first.url
            client(second.url).set("said", "by the second")
        assert client(first.url).get("said") == b"by the second"


def test_nothing_waits_in_memory_to_be_written_and_nothing_is_thrown_away(tmp_path: Path) -> None:
    with local_valkey(tmp_path / "valkey") as server:
        assert client(server.url).config_get("maxmemory-policy") == {
            "maxmemory-policy": "noeviction"
        }
        assert client(server.url).config_get("append*") == {
            "appendonly": "yes", "appendfsync": "no", "appendfilename": "appendonly.aof",
            "appenddirname": "appendonlydir",
        }  # fmt: skip
        assert client(server.url).config_get("maxmemory") != {"maxmemory": "0"}
