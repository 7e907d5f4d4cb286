"""`trading live` as people run it: real servers, real processes."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.commands.live.all_in_one.processes import LiveProcess
from cli.commands.live.all_in_one.supervisor import Supervised, Supervisor, supervised
from servers.errors import INTERRUPTED, USAGE, CommandError
from servers.start_up import answers, bound_port
from tests.cli.conftest import Run, Start, assert_all_end
from tests.waiting import wait_until

KEYS = {"ticks", "bars", "signals", "orders", "fills", "equity", "alerts", "lag_ms", "errors"}
KILLED = ("windows", "signals", "executor", "stream", "api", "alerts", "news")


def test_a_process_that_refuses_what_it_was_asked_for_is_not_begun_again(tmp_path: Path) -> None:
    refusing = LiveProcess("windows", ["live", "windows", "--no-such-option"])
    with (
        supervised([refusing], tmp_path, os.environ) as supervisor,
        pytest.raises(CommandError, match="windows cannot run") as refused,
    ):
        wait_until(supervisor.look, "it refuses", 60)
    assert refused.value.exit_code == USAGE


def test_others_go_on_without_one_that_may_refuse(tmp_path: Path) -> None:
    refusing = LiveProcess("prefect", ["up", "--no-such-option"], may_refuse=True)
    with supervised([refusing], tmp_path, os.environ) as supervisor:
        (one,) = supervisor.processes
        wait_until(lambda: has_ended(supervisor, one), "it refuses", 60)
        assert [error.partition(":")[0] for error in supervisor.errors] == [
            "The process prefect cannot run"
        ]


def test_a_process_that_dies_is_begun_again_as_often_as_it_does(tmp_path: Path) -> None:
    waiting = LiveProcess("windows", ["live", "windows", "--server-dir", str(tmp_path / "s")])
    environment = dict(os.environ) | {"TRADING_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/x"}
    with supervised([waiting], tmp_path, environment) as supervisor:
        (one,) = supervisor.processes
        wait_until(lambda: restarts(one) >= 2, "it was begun again twice", 120)
        assert supervisor.down == []
        wait_until(lambda: restarts(one) >= 3, "it crashed three times in a row", 120)
        ((crashes, sentence),) = supervisor.down
        assert supervisor.errors == [sentence]
    assert (crashes.service, crashes.count) == ("windows", 3)
    assert crashes.said.startswith("The database at 127.0.0.1:1 cannot be reached")
    assert sentence.startswith("windows is down: it crashed 3 times in the last ")
    assert sentence.endswith(f"; see {one.log}")


def has_ended(supervisor: Supervisor, one: Supervised) -> bool:
    supervisor.look()
    return one.ended


def restarts(one: Supervised) -> int:
    one.look()
    return one.restarts


@pytest.mark.slow
def test_prices_become_fills_although_each_process_is_killed_once(
    start: Start, tmp_path: Path
) -> None:
    place, port = tmp_path / "server", bound_port(0)
    live = start(
        "live", "--minutes", "1.5", "--json", "--no-prefect", "--source", "synthetic",
        "--port", str(port), "--lake-dir", str(tmp_path / "lake"),
    )  # fmt: skip
    wait_until(now_and_then(lambda: answers(f"http://127.0.0.1:{port}/", 10)), "the desk", 240)
    for name in KILLED:
        running_process(place, name).kill()
    stdout, stderr = live.communicate(timeout=300)
    assert live.returncode == 0, stderr
    told = json.loads(stdout)
    assert set(told) == KEYS
    assert min(told[name] for name in ("ticks", "bars", "signals", "orders", "fills")) > 0
    assert told["equity"] > 0
    assert told["lag_ms"]["p50"] > 0
    # What was killed here was begun again; nothing else went wrong.
    assert sorted(error.split()[0] for error in told["errors"]) == sorted(KILLED)
    assert all("was restarted once" in error for error in told["errors"])
    wait_until(now_and_then(lambda: not processes_of(place)), "all processes have ended", 60)
    assert not re.search("Traceback", "".join(f.read_text() for f in place.rglob("live/*.out")))


@pytest.mark.slow
def test_nothing_outlives_a_command_that_is_killed(start: Start, tmp_path: Path) -> None:
    place = tmp_path / "server"
    live = start("live", "--json", "--source", "synthetic", "--port", "0")
    command = psutil.Process(live.pid)
    wait_until(now_and_then(lambda: prefect_of(command)), "a Prefect server is begun", 240)
    begun = command.children(recursive=True)
    live.kill()
    live.communicate()
    assert_all_end(begun)
    wait_until(now_and_then(lambda: not processes_of(place)), "the servers have ended", 60)


@pytest.mark.slow
def test_ctrl_c_ends_it_with_what_there_was(start: Start, tmp_path: Path) -> None:
    place = tmp_path / "server"
    live = start("live", "--json", "--no-prefect", "--source", "synthetic", "--port", "0")
    running_process(place, "api")
    live.send_signal(signal.SIGINT)
    stdout, _ = live.communicate(timeout=120)
    assert live.returncode == INTERRUPTED
    assert set(json.loads(stdout)) == KEYS
    wait_until(now_and_then(lambda: not processes_of(place)), "the servers have ended", 60)


def now_and_then(condition: Callable[[], object]) -> Callable[[], object]:
    """The same, looked at once a second: a look may cost more than what is looked at."""
    looked_at = 0.0

    def look() -> object:
        nonlocal looked_at
        if time.monotonic() < looked_at + 1.0:
            return False
        looked_at = time.monotonic()
        return condition()

    return look


def prefect_of(command: psutil.Process) -> list[psutil.Process]:
    """The Prefect servers below a command."""
    words = ["servers.lifeline", "prefect", "server", "start"]
    return [one for one in command.children(recursive=True) if one.cmdline()[2:6] == words]


def process_of(folder: Path, name: str) -> psutil.Process | None:
    """The process of that name, by the arguments that start it."""
    begins = {"api": ["api"], "prefect": ["up"]}.get(name, ["live", name])
    for process in processes_of(folder):
        try:
            words = process.cmdline()
        except psutil.NoSuchProcess:
            continue
        if words[2:4] == ["servers.lifeline", "cli"] and words[4 : 4 + len(begins)] == begins:
            return process
    return None


def running_process(folder: Path, name: str) -> psutil.Process:
    """The process of that name, once there is one."""
    found: list[psutil.Process] = []

    def is_there() -> bool:
        process = process_of(folder, name)
        found.extend([] if process is None else [process])
        return bool(found)

    wait_until(now_and_then(is_there), f"{name} runs", 120)
    return found[0]


def processes_of(folder: Path) -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in word for word in process.info["cmdline"] or [])
    ]


def test_wrong_usage_is_one_sentence_and_starts_nothing(run: Run, tmp_path: Path) -> None:
    done = run("live", "differences", "--date", "yesterday", "--server-dir", str(tmp_path / "s"))
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert "date='yesterday' is not a date" in done.stderr
    done = run("live", "--source", "nowhere")
    assert done.returncode == USAGE
    done = run("live", "--no-prefect", "--schedules", "--server-dir", str(tmp_path / "s"))
    assert (done.returncode, done.stderr.count("\n")) == (USAGE, 1)
    assert "leave out --no-prefect" in done.stderr
    assert not (tmp_path / "s").exists()


def test_a_port_of_the_desk_that_is_taken_is_said_before_anything_starts(
    run: Run, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("live", "--port", port, "--server-dir", str(tmp_path / "s"))
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert f"--port {port} cannot be listened on" in done.stderr
    assert not (tmp_path / "s").exists()
