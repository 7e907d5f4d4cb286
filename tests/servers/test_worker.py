from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from cli.settings import job_environment
from flows.boundary.settings import PROJECT_DIR, project_root
from servers import worker
from servers.errors import CommandError
from servers.process import start_child
from servers.worker import LocalWorker, needing, process_worker
from tests.waiting import wait_until


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PAUSES", (0.0, 0.0))
    monkeypatch.setattr(worker, "_LOOK_SECONDS", 0.01)


def child(log: Path, module: str) -> Callable[[], subprocess.Popen[bytes]]:
    return lambda: start_child(module, ["0"], log=log, env=os.environ, append=True)


def test_a_worker_that_ends_is_started_again(tmp_path: Path) -> None:
    """Fails when `_keep_alive` only notes the end."""
    started = LocalWorker(child(tmp_path / "log", "http.server"), tmp_path / "log")
    first = started.pid
    os.kill(first, 9)
    wait_until(lambda: started.pid != first, "another process")
    assert started.poll() is None
    started.check()
    started.stop()
    assert started.poll() is not None


async def test_a_worker_that_keeps_ending_is_given_up_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    """Fails without `check` in `needing`: the block waits for ever."""
    log = tmp_path / "log"
    started = LocalWorker(child(log, "json.no_such_module"), log)
    with pytest.raises(CommandError, match="ended by itself 3 times and was given up") as caught:
        async with needing(started):
            await asyncio.wait_for(asyncio.Event().wait(), 60)
    assert "json.no_such_module" in str(caught.value)
    assert log.read_text().count("No module named") == 3
    started.stop()


async def test_a_block_that_needs_no_worker_is_cancelled_by_others_only() -> None:
    async with needing(None):
        pass
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01), needing(None):
            await asyncio.Event().wait()


def test_the_worker_tells_its_jobs_where_the_project_is(tmp_path: Path) -> None:
    with process_worker("trading", tmp_path / "log", job_environment()) as started:
        process = psutil.Process(started.pid)
        # Until it has begun its program it has the environment of this process.
        wait_until(lambda: PROJECT_DIR in process.environ(), "its own environment")
        assert process.environ()[PROJECT_DIR] == str(project_root())
