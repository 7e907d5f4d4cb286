from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from servers.server_lock import server_lock

COMMAND = """
import subprocess, sys
from pathlib import Path
from servers.server_lock import server_lock
with server_lock(Path(sys.argv[1])) as lock:
    server = [sys.executable, "-c", "open(__import__('sys').argv[1]).read()", sys.argv[2]]
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    subprocess.Popen(server, pass_fds=[lock], start_new_session=True, **quiet)
    print("taken", flush=True)
    sys.stdin.read()
"""
"""Takes the lock, hands it to a server that ends when a FIFO is closed, and lives as stdin does."""


def start_command(lock: Path, fifo: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, str(lock), str(fifo)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def line_of(command: subprocess.Popen[str], stream: str) -> str:
    return getattr(command, stream).readline().strip()  # type: ignore[no-any-return] # a stream


def test_a_command_waits_for_the_server_of_one_that_was_killed(tmp_path: Path) -> None:
    lock, fifo, other = (tmp_path / name for name in ("server.lock", "server", "other"))
    os.mkfifo(fifo)
    os.mkfifo(other)
    first = start_command(lock, fifo)
    assert line_of(first, "stdout") == "taken"
    lock.write_text("who holds it")
    with fifo.open("w"):
        first.kill()
        first.communicate()
        second = start_command(lock, other)
        assert "a command that was killed" in line_of(second, "stderr")
        assert second.poll() is None
    assert line_of(second, "stdout") == "taken"
    assert lock.read_text() == ""
    with other.open("w"):
        second.communicate()


def test_a_command_that_lives_is_not_waited_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lock = tmp_path / "server.lock"
    for _ in range(2):
        with server_lock(lock), pytest.raises(BlockingIOError), server_lock(lock):
            pytest.fail("two had it")
    assert capsys.readouterr().err == ""
