from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import psutil
import redis

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


def test_killed_while_it_is_used_it_comes_back_at_the_same_place(tmp_path: Path) -> None:
    with local_valkey(tmp_path / "valkey") as server:
        client(server.url).set("told", "before the kill")
        note = server.folder / "valkey.pid"
        killed = psutil.Process(int(note.read_text()))
        killed.kill()
        killed.wait(60)
        wait_until(lambda: answer(server.url, "told") == b"before the kill", "it is back")
        again = psutil.Process(int(note.read_text()))
        assert again != killed
    assert not again.is_running()


def answer(url: str, key: str) -> object:
    try:
        return client(url).get(key)
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
