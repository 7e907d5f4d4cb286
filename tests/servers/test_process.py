from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from servers import process as child_process
from servers.process import listens, log_tail, start_child, stop_child, stopping
from tests.cli.conftest import assert_all_end
from tests.waiting import wait_until

PARENT = """
import signal, sys
from pathlib import Path
from servers.process import start_child
{first}
child = start_child("http.server", ["0", "--bind", "127.0.0.1"], log=Path(sys.argv[1]), env={env})
print(child.pid, flush=True)
sys.stdin.read()
"""

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "child.log"


def start_server(log: Path) -> subprocess.Popen[bytes]:
    child = start_child("http.server", ["0", "--bind", "127.0.0.1"], log=log, env=unbuffered())
    wait_until(lambda: b"Serving" in log.read_bytes(), "the child serves")
    return child


def unbuffered() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def parent_and_child(log: Path, first: str = "") -> tuple[subprocess.Popen[str], psutil.Process]:
    code = PARENT.format(first=first, env=repr(unbuffered()))
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    wait_until(lambda: b"Serving" in log.read_bytes(), "the child serves")
    return parent, child


def end(parent: subprocess.Popen[str]) -> None:
    parent.kill()
    parent.communicate()


def test_a_child_is_a_module_with_arguments_whose_output_is_in_its_log(log: Path) -> None:
    child = start_child("json.tool", ["--no-such-option"], log=log, env=os.environ)
    assert child.wait(30) == 2
    assert "--no-such-option" in log.read_text()
    stop_child(child)


def test_a_child_has_the_environment_it_is_given(log: Path) -> None:
    child = start_child("os", [], log=log, env={"ONLY": "this"})
    with stopping(child):
        # Between fork and exec a process shows no environment.
        wait_until(psutil.Process(child.pid).environ, "the child's environment")
        assert psutil.Process(child.pid).environ() == {"ONLY": "this"}


def test_stopping_a_child_ends_it_and_may_be_repeated(log: Path) -> None:
    with stopping(start_server(log)) as child:
        assert child.poll() is None
    assert child.poll() == -signal.SIGTERM
    stop_child(child)


def test_a_child_is_stopped_when_the_block_fails(log: Path) -> None:
    with pytest.raises(ZeroDivisionError), stopping(start_server(log)) as child:
        1 / 0  # noqa: B018 - any error will do
    assert child.poll() is not None


def test_a_child_that_ignores_sigterm_is_killed_with_what_it_started(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_process, "STOP_SECONDS", 0.1)
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    env = unbuffered() | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    child = start_child("stubborn", [], log=log, env=env)
    wait_until(lambda: b"ready" in log.read_bytes(), "the child is ready")
    family = [psutil.Process(child.pid), *psutil.Process(child.pid).children()]
    assert len(family) == 2
    stop_child(child)
    assert child.returncode == -signal.SIGKILL
    assert_all_end(family)


def test_a_child_does_not_outlive_a_killed_parent(log: Path) -> None:
    parent, child = parent_and_child(log)
    assert child.is_running()
    end(parent)
    assert_all_end([child])


def test_a_child_obeys_sigint_though_its_parent_ignores_it(log: Path) -> None:
    parent, child = parent_and_child(log, "signal.signal(signal.SIGINT, signal.SIG_IGN)")
    child.send_signal(signal.SIGINT)
    wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE, "the child has ended")
    end(parent)


def test_a_child_is_in_a_session_of_its_own_out_of_reach_of_ctrl_c(log: Path) -> None:
    with stopping(start_server(log)) as child:
        assert os.getsid(child.pid) == child.pid != os.getsid(0)


def test_a_child_listens_on_its_own_port_and_on_no_other(log: Path) -> None:
    with stopping(start_server(log)) as child, socket.socket() as other:
        found = re.search(r"port (\d+)", log.read_text())
        assert found is not None
        other.bind(("127.0.0.1", 0))
        other.listen()
        assert listens(child, int(found[1]))
        assert not listens(child, other.getsockname()[1])
    assert not listens(child, int(found[1]))


def test_what_a_child_started_listens_for_it(log: Path) -> None:
    serve = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    with stopping(start_child("servers.program", serve, log=log, env=os.environ)) as child:
        wait_until(lambda: b"Serving" in log.read_bytes(), "the program serves")
        found = re.search(r"port (\d+)", log.read_text())
        assert found is not None
        assert listens(child, int(found[1]))


def test_the_tail_of_a_log_is_its_last_lines_that_say_something(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert log_tail(log) == "(no log)"
    log.write_text("")
    assert log_tail(log) == "  (empty log)"
    log.write_bytes(b"x" * 10_000 + b"\nfirst\n\n\nsecond \xff\n")
    assert log_tail(log, lines=2) == "  first\n  second \ufffd"
