"""The keeper of a server that dies each time it is started."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from servers.shared import keeper, locks
from servers.shared import server as server_module
from servers.shared.server import Launch, SharedServer, server_crashes
from tests.waiting import wait_until

DYING = """
import os, pathlib, signal, sys, time
print("there is no memory for it", flush=True)
if not pathlib.Path("mended").exists():
    os.kill(os.getpid(), signal.SIGKILL)
print("it runs", flush=True)
time.sleep(600)
"""


def test_a_server_that_dies_at_each_start_gets_growing_pauses_and_is_said_to_be_down(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "valkey"
    folder.mkdir()
    with (
        locks.opened(folder, locks.USERS) as users,
        locks.opened(folder, locks.SERVER) as server,
        locks.opened(folder, locks.KEEPER) as kept,
        (folder / "valkey.log").open("wb") as log,
    ):
        locks.wait_shared(users)
        locks.wait_alone(server)
        locks.wait_alone(kept)
        command = [sys.executable, "-m", "servers.shared.keeper", str(folder), str(server)]
        process = subprocess.Popen(
            [*command, sys.executable, "-c", DYING], cwd=folder, stdout=log, stderr=log,
            pass_fds=(server, kept), env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        )  # fmt: skip
        wait_until(lambda: server_crashes(folder), "it is said to be down", 60)
        found = server_crashes(folder)
        assert found is not None
        assert found.count >= keeper.AT_ONCE
        assert found.said == "there is no memory for it"
        (folder / "mended").touch()
        wait_until(lambda: "it runs" in found.log.read_text(), "it is begun again", 60)
        pauses = [line.rpartition(" in ")[2] for line in found.log.read_text().splitlines()
                  if line.startswith(keeper.RESTARTED)]  # fmt: skip
        assert pauses[:3] == ["0.5 s.", "1 s.", "2 s."]
    # Nobody uses it any more.
    assert process.wait(60) >= 0
    assert server_crashes(folder) is None
    assert not (folder / keeper.CRASHES).exists()


def test_what_a_killed_keeper_left_counts_for_nothing(tmp_path: Path) -> None:
    (tmp_path / keeper.CRASHES).write_text(json.dumps({"since": 0.0, "count": 9}))
    assert server_crashes(tmp_path) is None


def test_pauses_grow_to_a_minute_and_begin_anew_after_a_steady_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaths = keeper.Deaths(tmp_path / keeper.CRASHES)
    pauses = [deaths.another() for _ in range(10)]
    assert pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    assert json.loads((tmp_path / keeper.CRASHES).read_text())["count"] == 10
    monkeypatch.setattr(keeper, "_STEADY_SECONDS", -1.0)
    assert deaths.another() == 0.5
    assert not (tmp_path / keeper.CRASHES).exists()


STUBBORN = """
import os, pathlib, signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell's background command ignores it
pathlib.Path(sys.argv[1], "here").touch()
pathlib.Path("stubborn.pid").write_text(str(os.getpid()))
time.sleep(600)
"""


def test_a_server_without_a_keeper_that_does_not_end_in_time_is_ended_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Postgres while it replays its log: SIGINT alone might not end it for minutes."""
    monkeypatch.setattr(server_module, "ABANDONED_SECONDS", 0.5)

    def launch() -> Launch:
        (tmp_path / "stubborn.pid").unlink(missing_ok=True)
        return Launch(lambda socket: [sys.executable, "-c", STUBBORN, str(socket)],
                      os.geteuid(), os.getegid())  # fmt: skip

    shared = SharedServer(
        name="Stubborn", folder=tmp_path, purpose="a test", alternative="do without",
        prepare=launch, is_ready=lambda _: (tmp_path / "stubborn.pid").is_file(),
        abandoned=lambda: int((tmp_path / "stubborn.pid").read_text()),
    )  # fmt: skip
    with shared.running():
        kept_by = psutil.Process(json.loads((tmp_path / "server.json").read_text())["keeper"])
        kept_by.kill()
        wait_until(lambda: not locks.is_held(tmp_path, locks.KEEPER), "the keeper is gone")
    assert not locks.is_held(tmp_path, locks.SERVER)
